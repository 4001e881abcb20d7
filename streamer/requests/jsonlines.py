"""A request file of lines, one request to a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from streamer.requests.jsontext import PIECE
from streamer.requests.locations import Location
from streamer.requests.problems import ProblemLog

_MARK = b"\xef\xbb\xbf"  # of byte order: where files were put together it stands within, too


def read_lines(
    file: BinaryIO, name: str, problems: ProblemLog, *, longest: int
) -> Iterator[tuple[Location, bytes | bytearray]]:
    """The lines that are not blank, without white space behind them.

    Args:
        file: where to read; its first byte begins a line.
        name: what the file is called in what is wrong.
        problems: is given a line that is longer than `longest`, which is not held.
        longest: bytes of a line at most.

    Raises:
        OSError: the file cannot be read.
    """
    number = 0
    while line := file.readline(PIECE):
        number += 1
        location = Location(name, number)
        if len(line) == PIECE and not line.endswith(b"\n"):
            long = bytearray(line)  # which grows where it is: in pieces and then whole it would be held twice
            size = _read_on(file, long, longest)
            if size > longest + 1:  # with the newline
                problems.add(location, _too_long(size, longest))
                continue
            while long and long[-1] in b" \t\r\n":
                del long[-1]
            yield location, long
            del long  # before the next one is read
        elif len(line) > longest + 1:
            problems.add(location, _too_long(len(line), longest))
        elif text := line.strip().removeprefix(_MARK):
            yield location, text


def _too_long(size: int, longest: int) -> str:
    return f"the line has {size:,} bytes, and one batch takes {longest:,}: shorten the request"


def _read_on(file: BinaryIO, long: bytearray, longest: int) -> int:
    """Read the rest of a line, and keep it while it may be sent; how many bytes the line has."""
    size = len(long)
    ended = False
    while not ended and (rest := file.readline(PIECE)):
        ended = rest.endswith(b"\n")
        size += len(rest)
        if size <= longest + 1:
            long += rest
        else:
            long.clear()
    return size
