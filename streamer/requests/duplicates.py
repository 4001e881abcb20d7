"""Which custom_ids are used more than once: found among ten million without holding them.

Kept is a 64-bit hash of each, sorted in runs into temporary files by its highest bits; then a file at a time fits in
memory. Only where two hashes are equal, which without a problem comes once in 300,000 submissions of ten million, are
the ids themselves looked at, in a second pass over the spool.

The hash is Python's own of a string, which is keyed anew in each process: nobody can make ids that collide.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple, Self

from streamer.requests.locations import Location

RUN = 1 << 15  # ids held before they go to the files: 2 MB
FILES = 64  # of ten million ids each has 156,000
MOST_NAMED = 100_000  # ids used more than once that are named with their locations

_LOWEST = -(1 << 63)
_BOUNDS = [_LOWEST + number * ((1 << 64) // FILES) for number in range(FILES + 1)]


class Repeat(NamedTuple):
    """A custom_id that was used before."""

    custom_id: str
    again: Location
    first: Location


class IdHashes:
    """Takes the custom_id of every request, in order, and finds those used more than once.

    Args:
        directory: where the temporary files are made; they have no names there and go with the process.

    >>> with IdHashes(Path()) as hashes:
    ...     for custom_id in ("a", "b", "a"):
    ...         hashes.add(custom_id)
    ...     hashes.suspects() == (frozenset([hash("a")]), False)
    True
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._run: list[str] = []
        self._files: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def add(self, custom_id: str) -> None:
        """One more id.

        Raises:
            OSError: there is no room for temporary files.
        """
        self._run.append(custom_id)
        if len(self._run) == RUN:
            self._flush()

    def suspects(self, most: int = MOST_NAMED) -> tuple[frozenset[int], bool]:
        """The hashes that came more than once, at most `most`, and whether there are more.

        Raises:
            OSError: the temporary files cannot be written or read.
        """
        found: set[int] = set()
        for part in self._parts():
            ordered = sorted(part)
            found.update(one for one, next_one in pairwise(ordered) if one == next_one)
            if len(found) > most:
                return frozenset(sorted(found)[:most]), True
        return frozenset(found), False

    def _parts(self) -> Iterator[Iterable[int]]:
        """All hashes in parts that fit in memory; equal ones are in the same."""
        if not self._files:
            yield map(hash, self._run)
            return
        self._flush()
        for file in self._files:
            size = file.tell()
            file.seek(0)
            part = array("q")
            part.frombytes(file.read(size))
            yield part

    def _flush(self) -> None:
        while len(self._files) < FILES:
            self._files.append(TemporaryFile(dir=self._directory))  # noqa: SIM115 - closed on exit
        run = array("q", sorted(map(hash, self._run)))
        self._run.clear()
        cuts = [bisect_left(run, bound) for bound in _BOUNDS[:-1]] + [len(run)]
        for file, (start, end) in zip(self._files, pairwise(cuts), strict=True):
            if start < end:
                file.write(run[start:end].tobytes())


def repeats(uses: Iterable[tuple[str, Location]], suspects: frozenset[int]) -> Iterator[Repeat]:
    """Go through the ids again for those that are used more than once.

    Args:
        uses: each custom_id and where it is used, in order.
        suspects: the hashes that came more than once.
    """
    first_use: dict[str, Location] = {}
    for custom_id, location in uses:
        if hash(custom_id) in suspects:
            first = first_use.setdefault(custom_id, location)
            if first is not location:
                yield Repeat(custom_id, location, first)
