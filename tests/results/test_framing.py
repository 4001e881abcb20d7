"""Framing: the same records come out however the body is cut into pieces, and the work grows linearly."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.results.framing import MAX_RECORD_BYTES, PIECE, SCAN_FROM, Framer, Lines, Part, SeamScanner, seams

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
            for begin, end in pairwise(cuts):
                left = line[begin:end].lstrip(b" \t\r")
                if left:
                    found.append((unit.offset + start + end - len(left), left.rstrip(b" \t\r"), "held"))
            start += len(line) + 1
    assert not parts
    return found


def joined(raws: Iterable[bytes]) -> bytes:
    """The bytes of all records, without the white space that separates or pads them."""
    return b"".join(b"".join(raws).split())


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


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
        # Below 7 bytes, blanks may be "records" too long to hold; and those keep the blanks around them.
        assert [(offset, raw.strip()) for offset, raw, _ in found] == expected or max_record_bytes < 7
        assert joined(raw for _, raw, _ in found) == joined(raw for _, raw in expected)


def test_a_last_line_without_newline_is_marked() -> None:
    *_, last = frame([A + b"\n" + B[:-9]])
    assert last == Lines(46, B[:-9], terminated=False)
    assert all(unit.terminated for unit in frame([A + b"\n" + B + b"\n"]) if isinstance(unit, Lines))


def test_usual_lines_go_on_as_they_were_fed() -> None:
    piece = (A + b"\n") * 1000
    [lines] = frame([piece])
    assert isinstance(lines, Lines)
    assert lines.data is piece  # not even copied


SEPARATOR = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"", b"\r", b" "])
RAW = st.one_of(
    st.sampled_from([A, B, TRICKY]),
    st.integers(0, 60).map(lambda size: b'{"t":"' + b'}{\\"\\\\' * size + b'"}'),
)
ENDS = st.sampled_from([b"", b"\n", b"\r\n"])


@given(
    body=st.tuples(st.lists(st.tuples(RAW, SEPARATOR), max_size=8), ENDS, st.booleans()),
    places=st.lists(st.integers(0, 2000), max_size=20),
    max_record_bytes=st.integers(40, 500),
)
def test_any_chunking_gives_the_same_records(
    body: tuple[list[tuple[bytes, bytes]], bytes, bool], places: list[int], max_record_bytes: int
) -> None:
    pairs, end, bom = body
    data = (b"\xef\xbb\xbf" if bom else b"") + b"".join(raw + separator for raw, separator in pairs) + end
    found = records(frame(cut(data, places), max_record_bytes))
    assert [raw.strip() for _, raw, _ in found] == [raw for raw, _ in pairs]
    assert all(data[offset : offset + len(raw)] == raw for offset, raw, _ in found)
    assert found == records(frame([data], max_record_bytes))
    assert all(how == "parts" for _, raw, how in found if len(raw) > max_record_bytes)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10), st.integers(1, 100))
def test_no_byte_of_any_body_is_lost(data: bytes, places: list[int], max_record_bytes: int) -> None:
    out = frame(cut(data, places), max_record_bytes)
    assert joined(unit.data for unit in out) == joined([data.removeprefix(b"\xef\xbb\xbf")])


@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_only_a_record_above_the_limit_passes_in_parts(extra: int, end: bytes) -> None:
    limit = SCAN_FROM + 1000
    long = b'{"t":"' + b"x" * (limit + extra - 8) + b'"}'
    for size in (limit // 7, PIECE, 5 * PIECE):
        body = A + b"\n" + long + (b"\n" + B if end else b"")
        found = records(frame([body[i : i + size] for i in range(0, len(body), size)], limit))
        assert [(offset, len(raw), how) for offset, raw, how in found] == [
            (0, len(A), "held"),
            (len(A) + 1, len(long), "parts" if extra > 0 else "held"),
            *([(len(A) + len(long) + 2, len(B), "held")] if end else []),
        ]


def test_the_end_of_a_record_in_parts_says_whether_a_newline_came() -> None:
    *parts, end = frame([A + b"\r", b"\n"], 10)
    assert end == Part(len(A) + 1, b"", last=True, terminated=True)
    assert b"".join(part.data for part in parts) == A  # the CR belongs to the end of the line
    assert frame([A], 10)[-1] == Part(len(A), b"", last=True, terminated=False)


@pytest.mark.parametrize("size", [100, 64 * 1024, 10 * PIECE])
def test_objects_that_follow_each_other_for_ever_come_out_in_time(size: int) -> None:
    body = (A + TRICKY + B) * 25_000  # 6 MB with no newline at all
    framer = Framer()
    waiting = 0
    came = 0
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        waiting += len(piece)
        for lines in framer.feed(piece):
            assert isinstance(lines, Lines)
            waiting -= len(lines.data) - 1  # the newline is added
            came += lines.data.count(b'{"custom_id"')
        assert waiting <= SCAN_FROM + PIECE
    [rest] = framer.close()
    assert came + rest.data.count(b'{"custom_id"') == 75_000


class Counted(bytes):
    """Bytes that count how many of them are searched, sliced and added."""

    work = 0

    def find(self, *args: Any) -> int:
        Counted.work += len(self)
        return super().find(*args)

    def rfind(self, *args: Any) -> int:
        Counted.work += len(self)
        return super().rfind(*args)

    def __getitem__(self, key: Any) -> Any:
        Counted.work += len(self)
        part = super().__getitem__(key)
        return Counted(part) if isinstance(part, bytes) else part

    def __add__(self, other: Any) -> Any:
        Counted.work += len(self) + len(other)
        return Counted(super().__add__(other))

    def __radd__(self, other: Any) -> Any:
        return Counted(other) + self


@pytest.mark.parametrize("limit", [1_000_000, MAX_RECORD_BYTES])
def test_work_grows_linearly_with_the_length_of_a_record(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    scan = SeamScanner.scan

    def counted_scan(self: SeamScanner, piece: bytes) -> list[int]:
        Counted.work += len(piece)
        return scan(self, piece)

    monkeypatch.setattr(SeamScanner, "scan", counted_scan)
    for length in (500_000, 8_000_000):
        body = b'{"t":"' + b"x" * length + b'"}\n' + A + b"\n"
        Counted.work = 0
        out = frame([Counted(body[i : i + 2000]) for i in range(0, len(body), 2000)], limit)
        assert sum(len(unit.data) for unit in out) == len(body) - (length > limit)
        assert Counted.work < 6 * len(body)


def test_memory_does_not_grow_with_the_record() -> None:
    framer = Framer(max_record_bytes=4 * PIECE)
    passed = 0
    tracemalloc.start()
    try:
        for number in range(64):
            for part in framer.feed(bytes(PIECE).replace(b"\0", b"x") if number else b'{"t":"'):
                passed += len(part.data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert passed > 60 * PIECE
    assert peak < 4 * PIECE + 8 * PIECE


def test_a_limit_must_be_positive() -> None:
    with pytest.raises(ValueError, match="max_record_bytes must be 1 or more, not 0"):
        Framer(0)
