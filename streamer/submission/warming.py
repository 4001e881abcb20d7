"""A batch of one request, before the others, that writes the prompt cache from which they then read."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.requests.slices import Slice


def first_alone(slices: Sequence[Slice], first_line: int) -> list[Slice]:
    """The slices with the first request in one of its own.

    Args:
        slices: of one spool, in order, at least one.
        first_line: length of the first line in bytes, its newline included.

    >>> first_alone([Slice(0, 30, 3), Slice(30, 50, 2)], 10)
    [Slice(start=0, end=10, requests=1), Slice(start=10, end=30, requests=2), Slice(start=30, end=50, requests=2)]
    """
    first, *others = slices
    if first.requests == 1:
        return list(slices)
    cut = first.start + first_line
    return [Slice(first.start, cut, 1), Slice(cut, first.end, first.requests - 1), *others]
