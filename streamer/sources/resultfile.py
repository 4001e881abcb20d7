"""The results in a local file, a chunk at a time: the same pieces as a download brings.

Memory does not depend on how big the file is. Chunks are small because decoding holds the interpreter, and the event
loop in the other thread must get its turn.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

from streamer.disk.filestream import stream_file
from streamer.errors import ConfigurationError
from streamer.results.arraylines import ArrayLines, is_array
from streamer.results.block import Block
from streamer.results.reader import LongPart, Piece, RecordReader, rejected

CHUNK = 256 * 1024  # bytes

#: By their first bytes, which no record has: what a file is compressed with, and what unpacks it beside itself.
COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gzip -dk"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dk"),
    b"BZh": ("bzip2", "bzip2 -dk"),
    b"\xfd7zXZ": ("xz", "xz -dk"),
    b"PK\x03\x04": ("zip", "unzip"),
}


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

    Its methods yield the records in order; of one too long to be held the last part, which has its head. They raise
    `BrokenFileError` where something is not a record.

    Args:
        locate: say of each record where it is.
        growing: the last record may be cut off; then it is passed over.
        arrays: it may be one JSON array of records, too, as answers of ours are and what other programs make of them.
    """

    def __init__(self, *, locate: bool = False, growing: bool = False, arrays: bool = False) -> None:
        self._reader = RecordReader(locate=locate)
        self._growing = growing
        self._arrays = arrays
        self._array: ArrayLines | None = None
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Block | LongPart]:
        """The records that `chunk`, the next bytes, completes."""
        if self._arrays and not self._size and is_array(chunk):
            self._array = ArrayLines()
        self._size += len(chunk)
        return self._records(self._reader.feed(chunk if self._array is None else self._array.feed(chunk)))

    def close(self) -> Iterator[Block | LongPart]:
        """What is left when the file has ended."""
        yield from self._records(self._reader.close())
        if self._array is not None and not self._array.closed:
            raise BrokenFileError(self._size, "the array does not end: is the file all there?")

    def _records(self, pieces: Iterable[Piece]) -> Iterator[Block | LongPart]:
        for piece in pieces:
            if isinstance(piece, Block):
                yield piece
            elif (reject := rejected(piece)) is not None:
                if reject.terminated or not self._growing:
                    raise BrokenFileError(reject.offset, reject.reason)
            elif isinstance(piece, LongPart) and piece.last:
                yield piece


def read_records(descriptor: int, end: int, reader: FileReader | None = None) -> Iterator[Block | LongPart]:
    """The records in the first `end` bytes of a file.

    Args:
        descriptor: of the file.
        end: how far it is read.
        reader: what reads them; without one they have to be whole lines.

    Raises:
        BrokenFileError: something in it is not a record.
        OSError: it cannot be read.
    """
    reader = reader or FileReader()
    for offset in range(0, end, CHUNK):
        yield from reader.feed(os.pread(descriptor, min(CHUNK, end - offset), offset))
    yield from reader.close()


async def stream_records(descriptor: int, reader: FileReader) -> AsyncGenerator[Block | LongPart, None]:
    """The records of a whole file, for an event loop: it is read in a thread.

    Raises:
        BrokenFileError: something in it is not a record.
        OSError: it cannot be read.
    """
    async with aclosing(stream_file(descriptor)) as chunks:
        async for chunk in chunks:
            for records in reader.feed(chunk):
                yield records
    for records in reader.close():
        yield records


@contextmanager
def opened(path: Path) -> Iterator[tuple[int, int]]:
    """Open a file of results that somebody has named, to be read and no more; its descriptor and its size.

    Raises:
        ConfigurationError: it is no plain file, or it is compressed.
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a pipe must not wait
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigurationError(f"{path} is no plain file; results are read more than once, so save them in one")
        head = os.pread(descriptor, max(map(len, COMPRESSED)), 0)
        for magic, (name, command) in COMPRESSED.items():
            if head.startswith(magic):
                raise ConfigurationError(
                    f"{path} is compressed with {name}, which is not read here; unpack it first, e.g. with "
                    f"`{command} {shlex.quote(str(path))}`"
                )
        yield descriptor, found.st_size
    finally:
        os.close(descriptor)
