"""Reading back what a file holds: the heads of its records, a chunk at a time.

Memory does not depend on how big the file is. Chunks are small because decoding holds the interpreter, and the event
loop in the other thread must get its turn.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from streamer.results.framing import Framer, Lines
from streamer.results.record import Head

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 256 * 1024  # bytes
_DECODER = msgspec.json.Decoder(Head)


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


def scan(descriptor: int, end: int) -> Iterator[list[Head]]:
    """The heads of the records in the first `end` bytes of a file, in order.

    Raises:
        BrokenFileError: a line is not a record.
    """
    framer = Framer()
    offset = 0
    while offset < end:
        data = os.pread(descriptor, min(CHUNK, end - offset), offset)
        offset += len(data)
        pieces = framer.feed(data)
        if offset >= end:
            pieces += framer.close()
        for piece in pieces:
            if isinstance(piece, Lines):
                heads = []
                position = piece.offset
                for line in piece.data.split(b"\n"):
                    if line.strip():
                        try:
                            heads.append(_DECODER.decode(line))
                        except msgspec.DecodeError as error:
                            raise BrokenFileError(position, str(error)) from error
                    position += len(line) + 1
                yield heads
