"""Where in a file of results each record is: read once, a chunk at a time, with memory that no size of it changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from streamer.answers.sentagain import ERRORED, true_error
from streamer.errors import ConfigurationError
from streamer.results.block import Block
from streamer.results.reader import LongPart
from streamer.results.record import HeadResult
from streamer.sources.resultfile import BrokenFileError, FileReader, opened, read_records


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
    """The records of a file of results, lines or one JSON array, in order, some at a time.

    Args:
        path: the file.
        growing: it is a `.part`, whose last line may be cut off: that is passed over.

    Raises:
        ConfigurationError: it cannot be read, is compressed, or something in it is not a record.
    """
    try:
        with opened(path) as (descriptor, size):
            reader = FileReader(locate=True, growing=growing, arrays=not growing)
            yield from map(_extents, read_records(descriptor, size, reader))
    except OSError as error:
        raise ConfigurationError(f"the results in {path} cannot be read: {error.strerror}") from error
    except BrokenFileError as broken:
        raise ConfigurationError(
            f"{path} holds something else than records at byte {broken.offset:,} ({broken.reason}); name files of "
            "results only"
        ) from broken


def _extents(records: Block | LongPart) -> Extents:
    if isinstance(records, LongPart):
        errors = [_error_of(result, b"") for result in records.results]
        return Extents(records.ids, records.results, errors, [records.offset], [records.length])
    assert records.offsets is not None  # noqa: S101 - they were asked for
    raws = records.data.split(b"\n")[:-1]
    errors = [_error_of(result, raw) for result, raw in zip(records.results, raws, strict=True)]
    return Extents(records.ids, records.results, errors, records.offsets, list(map(len, raws)))


def _error_of(result: HeadResult, raw: bytes) -> str:
    if result.type != ERRORED or result.error is None or result.error.error is None:
        return ""
    return true_error(result.error.error.type, raw)
