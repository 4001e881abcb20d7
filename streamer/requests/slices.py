"""How the requests of a spool become batches: in order, each as full as it may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from streamer.defaults import MAX_BYTES, MAX_REQUESTS

ENVELOPE_BYTES = len(b'{"requests":[]}')


class Slice(msgspec.Struct, frozen=True):
    """The requests of one batch: a range of a spool.

    Attributes:
        start: where its first line begins, in bytes.
        end: where the line after its last one begins.
        requests: how many lines it has.

    >>> Slice(0, 100, 2).body_bytes
    114
    """

    start: int
    end: int
    requests: int

    @property
    def body_bytes(self) -> int:
        """The length of the body: each newline but the last becomes a comma, and the envelope goes around."""
        return self.end - self.start - 1 + ENVELOPE_BYTES


def split(lengths: Iterable[int], *, max_requests: int = MAX_REQUESTS, max_bytes: int = MAX_BYTES) -> Iterator[Slice]:
    """Cut a spool into slices, as few as its order allows.

    Args:
        lengths: the length of each line in bytes, its newline included.
        max_requests: how many requests a batch may have.
        max_bytes: how long a batch's body may be.

    Yields:
        The slices, without a gap between them; none for no line.

    Raises:
        ValueError: one line is too long for any batch.

    >>> [(cut.start, cut.end, cut.requests) for cut in split([10, 20, 30], max_requests=2)]
    [(0, 30, 2), (30, 60, 1)]
    """
    room = max_bytes - ENVELOPE_BYTES + 1  # the last newline is not sent
    start = end = requests = 0
    for length in lengths:
        if length > room:
            raise ValueError(f"a line of {length:,} bytes fits no batch of {max_bytes:,}")
        if requests == max_requests or end + length - start > room:
            yield Slice(start, end, requests)
            start, requests = end, 0
        end += length
        requests += 1
    if requests:
        yield Slice(start, end, requests)
