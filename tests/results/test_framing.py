"""Framing: the same records come out however the body is cut into pieces, and the work grows linearly."""

from __future__ import annotations

import json
import re
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.results.framing import MAX_RECORD_BYTES, Framer, Lines, Part, SeamScanner, seams

A = b'{"custom_id":"a","result":{"type":"expired"}}'
B = b'{"custom_id":"b","result":{"type":"canceled"}}'
TRICKY = (
    b'{"custom_id":"t","result":{"type":"succeeded","message":{"content":'
    b'[{"text":"a \\"}{\\" b }{ \\\\\\\\"},{"text":"}{"},{},{"x":[{},{}]}]}}}'
)


def frame(pieces: list[bytes], max_record_bytes: int = MAX_RECORD_BYTES) -> list[Lines | Part]:
    framer = Framer(max_record_bytes)
    out: list[Lines | Part] = []
    for piece in pieces:
        out += framer.feed(piece)
    return out + framer.close()


def records(out: list[Lines | Part]) -> list[tuple[int, bytes, str]]:
    """The records of `out`: where each begins, its bytes, and whether it came held or in parts."""
    found: list[tuple[int, bytes, str]] = []
    parts: list[Part] = []
    for unit in out:
        if isinstance(unit, Part):
            parts.append(unit)
            if unit.last:
                found.append((parts[0].offset, b"".join(part.data for part in parts), "parts"))
                parts = []
            continue
        assert not parts, "a record in parts was not ended"
        start = 0
        for line in unit.data.split(b"\n"):
            cuts = [0, *seams(line), len(line)]
            for begin, end in zip(cuts, cuts[1:], strict=False):
                left = line[begin:end].lstrip(b" \t\r")
                if left:
                    found.append((unit.offset + start + end - len(left), left.rstrip(b" \t\r"), "held"))
            start += len(line) + 1
    assert not parts
    return found


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in zip(edges, edges[1:], strict=False)]


BODIES = {
    "lines": (A + b"\n" + B + b"\n", [(0, A), (46, B)]),
    "no final newline": (A + b"\n" + B, [(0, A), (46, B)]),
    "one record": (A, [(0, A)]),
    "crlf": (A + b"\r\n" + B + b"\r\n", [(0, A), (47, B)]),
    "cr at the end": (A + b"\n" + B + b"\r", [(0, A), (46, B)]),
    "blank lines": (b"\n\r\n" + A + b"\n\n \t\n" + B + b"\n\n", [(3, A), (53, B)]),
    "bom": (b"\xef\xbb\xbf" + A + b"\n" + B, [(3, A), (49, B)]),
    "bom and crlf": (b"\xef\xbb\xbf\r\n" + A + b"\r\n", [(5, A)]),
    "no newline between": (A + B + A + b"\n" + B, [(0, A), (45, B), (91, A), (137, B)]),
    "white space between": (A + b" \t" + B + b"\r" + A, [(0, A), (47, B), (94, A)]),
    "braces in strings": (TRICKY + TRICKY + b"\n" + TRICKY, [(0, TRICKY), (len(TRICKY), TRICKY)]),
    "cut bom": (b"\xef\xbb", [(0, b"\xef\xbb")]),
    "empty": (b"", []),
    "only blanks": (b"\r\n\n \n", []),
    "malformed": (b'}{"}{\n' + A, [(0, b"}"), (1, b'{"}{'), (6, A)]),
}
BODIES["braces in strings"][1].append((2 * len(TRICKY) + 1, TRICKY))


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("max_record_bytes", [1, 7, 45, 46, 47, 100, 200, MAX_RECORD_BYTES])
def test_whole_and_byte_by_byte_give_the_same_records(name: str, max_record_bytes: int) -> None:
    body, expected = BODIES[name]
    for pieces in ([body], [bytes([byte]) for byte in body], [b"", body, b""]):
        found = records(frame(pieces, max_record_bytes))
        found = [(offset, raw, how) for offset, raw, how in found if raw.strip()]
        if max_record_bytes >= 45:  # below that, white space around a record may itself pass in parts
            assert [(offset, raw.strip()) for offset, raw, _ in found] == expected
        else:
            assert b"".join(b"".join(raw.split()) for _, raw, _ in found) == b"".join(
                b"".join(raw.split()) for _, raw in expected
            )


def test_a_last_line_without_newline_is_marked() -> None:
    *_, last = frame([A + b"\n" + B[:-9]])
    assert last == Lines(46, B[:-9], terminated=False)
    assert all(unit.terminated for unit in frame([A + b"\n" + B + b"\n"]) if isinstance(unit, Lines))


def test_usual_lines_go_on_as_they_were_fed() -> None:
    piece = (A + b"\n") * 1000
    [lines] = frame([piece])
    assert isinstance(lines, Lines)
    assert lines.data is piece  # not even copied
