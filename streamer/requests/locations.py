"""Where requests stand in what the user gave, and a record on the disk of where each of them does."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Self

import msgspec

_RUN = 3 * (1 << 14)  # numbers held before they are written


class Location(msgspec.Struct, frozen=True, gc=False):
    """Where a request stands in what the user gave.

    Attributes:
        file: the file's name as it was given, or `stdin`.
        line: the line it begins in, from 1.
        number: which request of the file it is, from 1, where that says more than the line does: in an array.
    """

    file: str
    line: int
    number: int | None = None

    def __str__(self) -> str:
        return f"{self.file}, {self.within}"

    @property
    def within(self) -> str:
        """The location in the file, without the file.

        >>> Location("requests.jsonl", 3).within
        'line 3'
        """
        return f"line {self.line}" if self.number is None else f"request {self.number} (line {self.line})"


class Locations:
    """The locations of all requests of a spool, in order; on the disk, as they are read only when ids are used twice.

    Args:
        directory: where the temporary file is made; it has no name there and goes with the process.
    """

    def __init__(self, directory: Path) -> None:
        self._files: list[str] = []
        self._file = ""  # the last of them
        self._run = array("q")
        self._disk = TemporaryFile(dir=directory)  # noqa: SIM115 - closed on exit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._disk.close()

    def add(self, location: Location) -> None:
        """The location of the next request.

        Raises:
            OSError: there is no room for it.
        """
        if location.file is not self._file:
            self._file = location.file
            self._files.append(location.file)
        self._run.extend((len(self._files) - 1, location.line, location.number or 0))
        if len(self._run) == _RUN:
            self._disk.write(self._run.tobytes())
            self._run = array("q")

    def __iter__(self) -> Iterator[Location]:
        """All of them from the first.

        Raises:
            OSError: they cannot be read.
        """
        end = self._disk.seek(0, 2)
        for start in range(0, end, _RUN * 8):
            self._disk.seek(start)
            run = array("q")
            run.frombytes(self._disk.read(_RUN * 8))
            yield from self._of(run)
        yield from self._of(self._run)

    def _of(self, run: array[int]) -> Iterator[Location]:
        for at in range(0, len(run), 3):
            yield Location(self._files[run[at]], run[at + 1], run[at + 2] or None)
