"""Where in a file of results each record is: read once, a chunk at a time, with memory that no size of it changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from streamer.answers.sentagain import ERRORED, true_error
from streamer.errors import ConfigurationError
from streamer.results.block import Block, read_lines
from streamer.results.framing import Framer, Lines, Part
from streamer.results.longrecord import LongRecordReader
from streamer.results.record import HeadResult

CHUNK = 256 * 1024  # bytes read at once


class Extents(NamedTuple):
    """Some records of a file, and where they are; lists of the same length.

    Attributes:
        ids: the custom_id of each.
        results: what is known of the result of each.
        errors: the type of the error of each that is errored, else empty.
        offsets: where the first byte of each is.
        lengths: how many bytes each has.
    """

    ids: list[str]
    results: list[HeadResult]
    errors: list[str]
    offsets: list[int]
    lengths: list[int]


def read_extents(path: Path, *, growing: bool = False) -> Iterator[Extents]:
    """The records of a file of results, in order, some at a time.

    Args:
        path: the file.
        growing: it is a `.part`, whose last line may be cut off: that is passed over.

    Raises:
        ConfigurationError: it cannot be read, or something in it is not a record.
    """
    reading = _Reading(path, growing=growing)
    framer = Framer()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield from map(reading.take, framer.feed(chunk))
            yield from map(reading.take, framer.close())
    except OSError as error:
        raise ConfigurationError(f"the results in {path} cannot be read: {error.strerror}") from error


class _Reading:
    """A file that is being read, piece by piece."""

    def __init__(self, path: Path, *, growing: bool) -> None:
        self._path = path
        self._growing = growing
        self._long: LongRecordReader | None = None  # of the long record under way
        self._begin = self._length = 0  # of that

    def take(self, piece: Lines | Part) -> Extents:
        """The records that end in this piece."""
        if isinstance(piece, Part):
            return self._take_part(piece)
        block, rejects = read_lines("", piece)
        for reject in rejects:
            self._refuse(reject.offset, reject.reason, terminated=reject.terminated)
        return Extents([], [], [], [], []) if block is None else _in_block(block, piece)

    def _take_part(self, part: Part) -> Extents:
        if self._long is None:
            self._long, self._begin, self._length = LongRecordReader(), part.offset, 0
        self._long.feed(part.data)
        self._length += len(part.data)
        if not part.last:
            return Extents([], [], [], [], [])
        head, reason = self._long.close()
        self._long = None
        if head is None:
            self._refuse(self._begin, reason, terminated=part.terminated)
            return Extents([], [], [], [], [])
        error = _error_of(head.result, b"")
        return Extents([head.custom_id], [head.result], [error], [self._begin], [self._length])

    def _refuse(self, offset: int, reason: str, *, terminated: bool) -> None:
        if self._growing and not terminated:
            return
        raise ConfigurationError(
            f"{self._path} holds something else than records at byte {offset:,} ({reason}); name files of results only"
        )


def _in_block(block: Block, lines: Lines) -> Extents:
    """The records of a block that was made of `lines`, and where they are in the file."""
    raws = block.data.split(b"\n")[:-1]
    lengths = list(map(len, raws))
    if block.data.startswith(lines.data):  # nothing lies between the records
        offsets = list(accumulate([length + 1 for length in lengths[:-1]], initial=lines.offset))
    else:
        offsets, end = [], 0
        for raw in raws:  # in the file they follow each other in the same order
            begin = lines.data.index(raw, end)
            offsets.append(lines.offset + begin)
            end = begin + len(raw)
    errors = [_error_of(result, raw) for result, raw in zip(block.results, raws, strict=True)]
    return Extents(block.ids, block.results, errors, offsets, lengths)


def _error_of(result: HeadResult, raw: bytes) -> str:
    if result.type != ERRORED or result.error is None or result.error.error is None:
        return ""
    return true_error(result.error.error.type, raw)
