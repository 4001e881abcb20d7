"""What must hold for any bytes whatever, as one function that raises when it does not."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress

import msgspec

from streamer.api.types import Batch, BatchPage
from streamer.errors import RecordError
from streamer.results.accounting import Tally, verify
from streamer.results.block import read_lines
from streamer.results.framing import Framer, Lines, Part
from streamer.results.longrecord import LongRecordReader

SPACE = b" \t\r\n"
BOM = b"\xef\xbb\xbf"


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` cut at the places `cuts`."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


def squeezed(data: bytes) -> bytes:
    """`data` without white space."""
    return b"".join(data.split())


def bytes_of(*found: list[bytes]) -> Counter[int]:
    """How often each byte comes, but for white space."""
    return Counter(squeezed(b"".join(b"".join(some) for some in found)))


def framed(chunks: list[bytes], max_record_bytes: int) -> list[Lines | Part]:
    framer = Framer(max_record_bytes)
    return [item for chunk in chunks for item in framer.feed(chunk)] + framer.close()


def records_of(items: list[Lines | Part]) -> tuple[list[bytes], list[bytes]]:
    """Every record and every reject as bytes, long ones joined. What can be decoded is decoded."""
    found: list[bytes] = []
    rejected: list[bytes] = []
    tally = Tally()
    long: list[bytes] = []
    reader = LongRecordReader()
    for item in items:
        if isinstance(item, Part):
            long.append(item.data)
            reader.feed(item.data)
            if item.last:
                head, reason = reader.close()
                assert (head is None) == bool(reason), "a long record is one, or there is a reason why not"
                if head is not None:
                    tally.add([head.custom_id], [head.result])
                (rejected if head is None else found).append(b"".join(long).strip(SPACE))
                long, reader = [], LongRecordReader()
            continue
        block, rejects = read_lines("msgbatch_fuzz", item)
        if block is not None:
            assert block.data.endswith(b"\n"), "each record ends in a newline"
            tally.add(block.ids, block.results)
            views = list(block.records())
            assert len(views) == len(block), "as many records as ids"
            for record in views:
                assert b"\n" not in record.raw, "a newline belongs to no record"
                with suppress(RecordError):  # JSON, but not of the API's shape
                    assert record.result.type == record.type
                found.append(record.raw)
        for reject in rejects:
            assert reject.reason, "a reject says why"
            rejected.append(reject.raw)
    verify(Batch(id="b", processing_status="ended").request_counts, tally.types)
    assert not long, "a long record ends with the body"
    return found, rejected


def check(data: bytes, cuts: list[int], max_record_bytes: int) -> None:
    """Framing loses nothing, whatever the chunks; and no input makes anything but our own errors."""
    whole, rejected = records_of(framed([data], max_record_bytes))
    # Rejects are told apart from the records among which they stood, so the order is not the body's.
    assert bytes_of(whole, rejected) == Counter(squeezed(data.removeprefix(BOM))), "every byte comes out"
    chunked, rejected = records_of(framed(pieces(data, cuts), max_record_bytes))
    assert sorted(map(squeezed, chunked)) == sorted(map(squeezed, whole)), "the same records from any chunks"
    # What is no JSON may be rejected in one piece or in two: where objects meet is told by the rules of JSON.
    assert bytes_of(chunked, rejected) == Counter(squeezed(data.removeprefix(BOM))), "every byte, from any chunks"
    for kind in (Batch, BatchPage):
        with suppress(ValueError, RecursionError):  # what the client turns into its own error
            msgspec.json.decode(data, type=kind)
