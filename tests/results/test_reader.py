"""Reading: the same pieces whatever the bytes come from and however they are cut, and no byte of a record is lost."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.results.block import Block, Reject
from streamer.results.reader import LongPart, Piece, RecordReader, rejected
from tests.answers.made import record

SEPARATORS = (b"\n", b"\r\n", b"\n\n", b" \n\t", b"")


def read(body: bytes, cuts: list[int], **options: bool | int) -> list[Piece]:
    """What comes of a body that is fed in pieces, cut at these places."""
    reader = RecordReader("batch", **options)  # type: ignore[arg-type]  # each option has its own type
    pieces: list[Piece] = []
    for start, end in pairwise(sorted({0, *(cut % (len(body) + 1) for cut in cuts), len(body)})):
        pieces += reader.feed(body[start:end])
    return [*pieces, *reader.close()]


def found(pieces: list[Piece]) -> list[tuple[str, int, bytes]]:
    """The custom_id, place and bytes of each record; those of a long one are its parts."""
    records = []
    parts: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, Block):
            assert piece.offsets is not None
            lines = piece.data.split(b"\n")[:-1]
            records += list(zip(piece.ids, piece.offsets, lines, strict=True))
        elif isinstance(piece, LongPart):
            parts.append(piece.data)
            if piece.last:
                raw = b"".join(parts)
                parts.clear()
                assert len(raw) == piece.length
                records += [(custom_id, piece.offset, raw) for custom_id in piece.ids]
    return records


@given(
    texts=st.lists(st.text(max_size=60), min_size=1, max_size=10),
    data=st.data(),
    cuts=st.lists(st.integers(0, 5000), max_size=8),
    longest=st.sampled_from([60, 120, 1 << 20]),
    usage=st.booleans(),
)
def test_every_record_comes_once_with_its_place_however_the_body_is_cut(
    texts: list[str], data: st.DataObject, cuts: list[int], longest: int, usage: bool
) -> None:
    records = [
        record(f"a-{n}", data.draw(st.sampled_from(["succeeded", "expired"])), text) for n, text in enumerate(texts)
    ]
    between = [data.draw(st.sampled_from(SEPARATORS[:3])) for _ in records]
    body, places = b"", []
    for raw, separator in zip(records, between, strict=True):
        places.append(len(body))
        body += raw + separator
    pieces = read(body, cuts, max_record_bytes=longest, usage=usage, locate=True)
    ids = [f"a-{n}" for n in range(len(records))]
    assert found(pieces) == list(zip(ids, places, records, strict=True))


def test_a_body_cut_in_the_middle_of_a_record_says_so_in_its_last_piece() -> None:
    block, reject = read(record("a") + b"\n" + record("b")[:-4], [])
    assert isinstance(block, Block)
    assert isinstance(reject, Reject)
    assert (reject.offset, reject.terminated) == (len(record("a")) + 1, False)
    *_, last = read(record("a") + b"\n" + record("b")[:-4], [], max_record_bytes=60)
    assert isinstance(last, LongPart)
    assert (last.last, last.head, last.terminated, last.offset) == (True, None, False, len(record("a")) + 1)
    told = rejected(last)
    assert told is not None
    assert (told.offset, told.size, told.raw) == (last.offset, last.length, b"")


def test_only_a_reject_and_the_end_of_what_is_no_record_are_rejected() -> None:
    body = record("a") + b"\n{}\n" + record("b", "succeeded", "x" * 300) + b"\n" + b"[" * 300 + b"\n"
    pieces = read(body, [], max_record_bytes=250)
    reasons = [told.reason for piece in pieces if (told := rejected(piece)) is not None]
    assert len(reasons) == 2
    assert "custom_id" in reasons[0]
    assert [piece.ids for piece in pieces if not isinstance(piece, Reject) and piece.ids] == [["a"], ["b"]]


@pytest.mark.parametrize("separator", [b"\n", b""])
def test_going_on_where_lines_were_taken_brings_each_record_once(separator: bytes) -> None:
    records = [record(f"a-{n}") for n in range(5)]
    body = separator.join(records) + b"\n"
    for cut in range(len(body)):
        reader = RecordReader("batch")
        before = [custom_id for piece in reader.feed(body[:cut]) if isinstance(piece, Block) for custom_id in piece.ids]
        again = RecordReader("batch", start=reader.taken)
        after = [*again.feed(body[reader.taken :]), *again.close()]
        assert before + [custom_id for piece in after if isinstance(piece, Block) for custom_id in piece.ids] == [
            f"a-{n}" for n in range(5)
        ]


@given(
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 7)), max_size=4),
    cut=st.integers(0, 10_000),
    longest=st.sampled_from([10, 40, 1 << 20]),
    usage=st.booleans(),
)
def test_whatever_bits_are_flipped_nothing_is_raised_and_no_byte_is_lost(
    flips: list[tuple[int, int]], cut: int, longest: int, usage: bool
) -> None:
    records = [
        record("a", "succeeded", 'é\ud83d "\\'),
        record("b", "api_error", "é"),
        record("c"),
        record("d", "expired"),
    ]
    body = bytearray(b"\n".join(records))
    for place, bit in flips:
        body[place % len(body)] ^= 1 << bit
    spoilt = bytes(body[: cut % len(body) + 1])
    pieces = read(spoilt, [], max_record_bytes=longest, usage=usage)
    came = b"".join(piece.raw if isinstance(piece, Reject) else piece.data for piece in pieces)
    assert Counter(came.translate(None, b"\n\r \t")) == Counter(spoilt.translate(None, b"\n\r \t"))
