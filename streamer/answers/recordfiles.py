"""Records read back from where they are, from many files of results at once."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from streamer.answers.index import Answer
from streamer.errors import StorageError

OPEN = 64  # files at once; requests that follow each other are mostly of the same batch
PIECE = 1024 * 1024  # bytes of a long record held at once


class RecordFiles:
    """Open files of results, those used last."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, int] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def pieces(self, answer: Answer) -> Iterator[bytes]:
        """The bytes of a record, on one line; one piece unless it is a long one.

        Raises:
            StorageError: they are not there any more.
        """
        descriptor = self._descriptor(answer.path)
        for start in range(0, answer.length, PIECE):
            size = min(PIECE, answer.length - start)
            try:
                data = os.pread(descriptor, size, answer.offset + start)
            except OSError as error:
                raise StorageError(f"{answer.path} cannot be read: {error.strerror}; run the same again") from error
            if len(data) < size:
                raise StorageError(f"{answer.path} was cut off while it was being read; run the same again")
            yield data.replace(b"\n", b" ")  # in an array it may have gone over lines; a string holds no newline

    def record(self, answer: Answer) -> bytes:
        """The bytes of a record, all of them held."""
        return b"".join(self.pieces(answer))

    def _descriptor(self, path: Path) -> int:
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        if len(self._open) >= OPEN:
            os.close(self._open.popitem(last=False)[1])
        try:
            descriptor = self._open[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError(f"{path} cannot be read any more: {error.strerror}; run the same again") from error
        return descriptor
