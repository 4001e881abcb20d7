"""The results in a local file, a chunk at a time: the same pieces as a download brings.

Memory does not depend on how big the file is. Chunks are small because decoding holds the interpreter, and the event
loop in the other thread must get its turn.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from streamer.results.block import Block
from streamer.results.reader import LongPart, Piece, RecordReader, rejected

CHUNK = 256 * 1024  # bytes


class BrokenFileError(Exception):
    """Something in a file is not a record; whoever reads it says what that means for what is being done."""

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


class FileReader:
    """Reads the bytes of a file of results, which are fed in chunks of any size.

    Args:
        locate: say of each record where it is.
        growing: the last record may be cut off; then it is passed over.

    Its methods yield the records in order; of one too long to be held the last part, which has its head. They raise
    `BrokenFileError` where something is not a record.
    """

    def __init__(self, *, locate: bool = False, growing: bool = False) -> None:
        self._reader = RecordReader(locate=locate)
        self._growing = growing

    def feed(self, chunk: bytes) -> Iterator[Block | LongPart]:
        """The records that `chunk`, the next bytes, completes."""
        return self._records(self._reader.feed(chunk))

    def close(self) -> Iterator[Block | LongPart]:
        """What is left when the file has ended."""
        return self._records(self._reader.close())

    def _records(self, pieces: Iterable[Piece]) -> Iterator[Block | LongPart]:
        for piece in pieces:
            if isinstance(piece, Block):
                yield piece
            elif (reject := rejected(piece)) is not None:
                if reject.terminated or not self._growing:
                    raise BrokenFileError(reject.offset, reject.reason)
            elif isinstance(piece, LongPart) and piece.last:
                yield piece


def read_records(
    descriptor: int, end: int, *, locate: bool = False, growing: bool = False
) -> Iterator[Block | LongPart]:
    """The records in the first `end` bytes of a file, as a `FileReader` yields them.

    Raises:
        BrokenFileError: something in it is not a record.
        OSError: it cannot be read.
    """
    reader = FileReader(locate=locate, growing=growing)
    for offset in range(0, end, CHUNK):
        yield from reader.feed(os.pread(descriptor, min(CHUNK, end - offset), offset))
    yield from reader.close()
