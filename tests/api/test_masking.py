"""Text from outside made fit to show: no piece of a key, however it is written and wherever it is cut."""

from __future__ import annotations

import base64
import json
import sys
from urllib.parse import quote

import pytest

from streamer.api.masking import AHEAD, MASK, PIECE, looks_like_key, masked, printable
from tests.api.servers import KEY, LONG_KEY

LIMIT = 300


def pieces_in(text: str, key: str = LONG_KEY, length: int = 4) -> list[str]:
    """The pieces of a key that are in `text`; by four characters none is there by chance."""
    return [key[at : at + length] for at in range(len(key) - length + 1) if key[at : at + length] in text]


def test_a_key_is_as_long_as_a_real_one() -> None:
    assert len(LONG_KEY) == 109
    assert looks_like_key(LONG_KEY)


@pytest.mark.parametrize("before", ["", ".", "\n", "é", "\\", "%", "&#"])
def test_no_cut_leaves_a_piece_of_a_key(before: str) -> None:
    for at in range(LIMIT - len(LONG_KEY) - 5, LIMIT + 5):
        shown = printable("." * at + before + LONG_KEY + "." * 50, LIMIT, [LONG_KEY])
        assert pieces_in(shown) == []
        assert len(shown) <= LIMIT + 20


def test_no_cut_of_what_is_looked_at_leaves_a_piece_either() -> None:
    for end in range(1, 2 * len(LONG_KEY)):
        text = LONG_KEY * 40
        assert pieces_in(printable(text[:-end], LIMIT, [LONG_KEY])) == []
        beyond = "." * (LIMIT + AHEAD - end) + text
        assert pieces_in(printable(beyond, LIMIT + AHEAD, [LONG_KEY])) == []


def test_what_somebody_else_cut_is_no_piece_of_a_key_either() -> None:
    for length in range(PIECE, len(LONG_KEY)):
        assert masked(f"({LONG_KEY[:length]})", [LONG_KEY]) == f"({MASK})"
        assert masked(f"({LONG_KEY[-length:]})", [LONG_KEY]) == f"({MASK})"
        middle = LONG_KEY[3 : 3 + length]
        assert masked(f"({middle})", [LONG_KEY]) == f"({MASK})"


@pytest.mark.parametrize(
    "written",
    [
        LONG_KEY.upper(),
        quote(LONG_KEY, safe="").replace("-", "%2D").replace("_", "%5f"),
        "".join(f"%{ord(c):02x}" for c in LONG_KEY),
        "".join(f"\\u{ord(c):04x}" for c in LONG_KEY),
        "".join(f"\\x{ord(c):02X}" for c in LONG_KEY),
        "".join(f"&#{ord(c)};" for c in LONG_KEY),
        "".join(f"&#x{ord(c):x};" for c in LONG_KEY),
        LONG_KEY.replace("-", "&#45;"),
        LONG_KEY.encode().hex(),
    ],
)
def test_a_key_is_known_as_others_write_it(written: str) -> None:
    assert masked(f"it was {written}.", [LONG_KEY]) == f"it was {MASK}."


@pytest.mark.parametrize("shift", range(6))
def test_a_key_in_base64_is_known_wherever_it_stands(shift: int) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        written = encode(b"z" * shift + LONG_KEY.encode() + b"zz").decode()
        # At either end a character also holds bits of what stands beside the key.
        assert len(masked(written, [LONG_KEY]).replace(MASK, "")) <= 4 * shift // 3 + 10


def test_what_holds_quotes_and_slashes_is_known_in_json() -> None:
    secret = 'pass"word/with\\all'
    assert masked(json.dumps({"you": f"sent {secret}"}).replace("/", "\\/"), [secret]) == '{"you": "sent ****"}'


def test_keys_that_nobody_told_us_of_are_masked_when_they_look_like_one() -> None:
    assert printable(f"do not use {LONG_KEY}", 80) == "do not use ****"


def test_words_that_are_no_key_stay() -> None:
    text = "requests.0.params.max_tokens: Field required (100% of it & more) \\u00e9 %zz"
    assert printable(text, 200, [KEY, LONG_KEY, "abcd"]) == text


def test_a_short_secret_is_masked_whole_and_an_empty_one_masks_nothing() -> None:
    assert masked("the key abc, not ABC", ["abc", ""]) == "the key ****, not ABC"


def test_what_is_long_costs_no_more_than_what_is_shown() -> None:
    text = LONG_KEY + "\\u0041" * 3_000_000
    calls = 0

    def count(frame: object, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        printable(text, LIMIT, [LONG_KEY])
    finally:
        sys.setprofile(None)
    assert calls < 10 * (LIMIT + AHEAD)
