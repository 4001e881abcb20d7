"""JSON as bytes: what is asked of it without decoding it, and without copying it where it is long."""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Any

PIECE = 1 << 20  # bytes of a long text that are looked at at once

Text = bytes | bytearray | memoryview

# A pair of halves is one character, a half alone is none. Two backslashes are one, and begin no escape.
_HALF = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_HALVES = re.compile("[\ud800-\udfff]")
_Utf8 = getincrementaldecoder("utf-8")


def pieces(text: Text) -> Iterator[bytes]:
    """A text in pieces that are cheap to hold; a short one as it is."""
    if len(text) <= PIECE:
        yield bytes(text)
        return
    view = memoryview(text)
    for start in range(0, len(view), PIECE):
        yield bytes(view[start : start + PIECE])


def hash_of(text: Text) -> int:
    """A hash of the bytes, the same for equal ones within a process."""
    return hash(bytes(text)) if len(text) <= PIECE else hash(tuple(map(hash, pieces(text))))


def not_utf8(text: Text) -> str:
    """Why a text is no UTF-8, for people; empty when it is."""
    decoder = _Utf8()
    begin = 0
    for piece in pieces(text):
        if piece.isascii() and not decoder.getstate()[0]:
            begin += len(piece)
            continue
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(piece)
        except UnicodeDecodeError as error:
            return not_utf8_at(error, begin - held)
        begin += len(piece)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return not_utf8_at(error, begin - len(error.object))
    return ""


def not_utf8_at(error: UnicodeDecodeError, begin: int = 0) -> str:
    """What a decoder found, in a text that begins so many bytes before what it was given."""
    found = error.object[error.start]
    return (
        f"this is no UTF-8: byte {found:#04x} at position {begin + error.start:,}; write it as UTF-8 "
        "(if it is Windows text: iconv -f WINDOWS-1252 -t UTF-8)"
    )


def has_line_break(text: Text) -> bool:
    """Whether a text goes over several lines."""
    return any(b"\n" in piece or b"\r" in piece for piece in pieces(text))


def half_character(text: Text) -> str:
    r"""Where a text has half of a surrogate pair, for people; empty where it has none.

    JSON can write it, and no text that is UTF-8 can hold it. It comes from text that was cut in the middle of a
    character, e.g. an emoji, by a language that counts UTF-16 units.

    >>> half_character(rb'{"params": {"system": "cut \ud83d"}}')
    "half of a character pair (\\ud83d) in params.system, after 'cut ': the text was cut within a character, as an ...
    """
    half = next((found["half"] for found in _HALF.finditer(text) if found["half"]), None)
    if half is None:
        return ""
    what = f"half of a character pair ({bytes(half).decode()})"
    remedy = "the text was cut within a character, as an emoji is; cut it before or after that"
    try:
        path, before = next(_halves(json.loads(bytes(text)), ""))
    except (ValueError, RecursionError, StopIteration):
        return f"{what}: {remedy}"
    return f"{what} in {path}" + (f", after {before[-20:]!a}" if before else "") + f": {remedy}"


def _halves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The paths of the strings with half of a pair, each with what stands before that."""
    if isinstance(value, str):
        if found := _HALVES.search(value):
            yield path or "it", value[: found.start()]
    elif isinstance(value, dict):
        for key, inner in value.items():
            if _HALVES.search(key):
                yield f"a key of {path or 'it'}", ""
            yield from _halves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _halves(inner, f"{path}[{number}]")


def keys_twice(text: Text) -> list[str]:
    """The keys of a JSON object that stand in it more than once; readers take the last, and silently drop the others.

    >>> keys_twice(b'{"custom_id": "a", "custom_id": "b"}')
    ['custom_id']
    """
    try:
        pairs = _object_of_pairs(bytes(text).decode())
    except (ValueError, RecursionError):
        return []
    keys = [key for key, _ in pairs]
    return [key for key in dict.fromkeys(keys) if keys.count(key) > 1]


def _object_of_pairs(text: str) -> list[tuple[str, Any]]:
    # The hook is called for the innermost objects first, and for the whole one last.
    last: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> None:
        last[:] = pairs

    json.loads(text, object_pairs_hook=keep)
    return last
