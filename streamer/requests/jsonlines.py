"""A request file of lines, one request to a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from streamer.requests.problems import Location, ProblemLog

_SKIPPED = 1 << 20  # bytes at a time of a line that is too long to be looked at


def read_lines(file: BinaryIO, name: str, problems: ProblemLog, *, longest: int) -> Iterator[tuple[Location, bytes]]:
    """The lines that are not blank, without white space around them.

    Args:
        file: where to read; its first byte begins a line.
        name: what the file is called in what is wrong.
        problems: told of a line that is longer than `longest`, which is not held.
        longest: bytes of a line at most.

    Raises:
        OSError: the file cannot be read.
    """
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        if len(line) > longest and not line.endswith(b"\n"):
            size = len(line) + _skip_line(file)
            problems.request(
                Location(name, number),
                f"the line has {size:,} bytes, and one batch takes {longest:,}: shorten the request",
            )
            continue
        if text := line.strip():
            yield Location(name, number), text


def _skip_line(file: BinaryIO) -> int:
    """Go on to the next line; how many bytes were left of this one."""
    skipped = 0
    while rest := file.readline(_SKIPPED):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            break
    return skipped
