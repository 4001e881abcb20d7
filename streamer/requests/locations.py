"""Where each request of a spool came from, kept on the disk and read again when something must be told of one."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Self

from streamer.requests.problems import Location

_RUN = 3 * (1 << 14)  # numbers held before they are written


class Locations:
    """The places of requests, in order.

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

    def add(self, place: Location) -> None:
        """The place of the next request.

        Raises:
            OSError: there is no room for it.
        """
        if place.file is not self._file:
            self._file = place.file
            self._files.append(place.file)
        self._run.extend((len(self._files) - 1, place.line, place.number or 0))
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
