"""Reading back what a file holds: the heads of its records, a chunk at a time.

Memory does not depend on how big the file is. Chunks are small because decoding holds the interpreter, and the event
loop in the other thread must get its turn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from streamer.results.block import read_lines
from streamer.results.framing import Framer, Lines, Part
from streamer.results.longrecord import LongRecordReader
from streamer.results.record import HeadResult

CHUNK = 256 * 1024  # bytes


class BrokenFileError(Exception):
    """Something in the file is not a record."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"byte {offset}: {reason}")
        self.offset = offset
        self.reason = reason


def last_line_end(descriptor: int, size: int) -> int:
    """Where the last whole line of a file of `size` bytes ends: 0 when it has none."""
    end = size
    while end > 0:
        start = max(0, end - CHUNK)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def scan(descriptor: int, end: int) -> Iterator[tuple[list[str], list[HeadResult]]]:
    """The custom_ids and results of the records in the first `end` bytes of a file, in order.

    Raises:
        BrokenFileError: something in it is not a record.
    """
    long: LongRecordReader | None = None
    for piece in _pieces(descriptor, end):
        if isinstance(piece, Lines):
            block, rejects = read_lines("", piece)
            if rejects:
                raise BrokenFileError(rejects[0].offset, rejects[0].reason)
            if block is not None:
                yield block.ids, block.results
            continue
        if long is None:
            long, begin = LongRecordReader(), piece.offset
        long.feed(piece.data)
        if piece.last:
            head, reason = long.close()
            if head is None:
                raise BrokenFileError(begin, reason)
            yield [head.custom_id], [head.result]
            long = None


def _pieces(descriptor: int, end: int) -> Iterator[Lines | Part]:
    framer = Framer()
    for offset in range(0, end, CHUNK):
        yield from framer.feed(os.pread(descriptor, min(CHUNK, end - offset), offset))
    yield from framer.close()
