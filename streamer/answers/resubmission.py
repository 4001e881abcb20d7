"""The requests that are sent again, as a spool of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import msgspec

from streamer.answers.asked import Asked
from streamer.answers.index import Answer, Index
from streamer.answers.sentagain import MISSING, SUCCEEDED, retryable
from streamer.defaults import MAX_BYTES, MAX_REQUESTS
from streamer.requests.slices import Slice, split
from streamer.requests.spool import NewSpool


class Resubmission(msgspec.Struct, kw_only=True):
    """What is sent again, and what became of the requests, each counted once by the word for that.

    The same requests with the same answers make the same spool, so an interrupted resubmission can be written anew.
    """

    requests: int = 0
    succeeded: int = 0
    again: dict[str, int] = {}  # those that are in the new spool
    left: dict[str, int] = {}  # those that did not succeed and are not sent again
    slices: list[Slice] = []  # how the new spool becomes batches
    digest: str = ""  # the SHA-256 of the new spool, in hex


def write_retry(
    requests: Iterable[Asked],
    index: Index,
    target: Path,
    *,
    also: Collection[str] = (),
    max_requests: int = MAX_REQUESTS,
    max_bytes: int = MAX_BYTES,
    leave: Callable[[str, Answer | None], None] = lambda custom_id, answer: None,
) -> Resubmission:
    """Write the requests that can be sent again into a spool, in their order, as they were sent before.

    Args:
        requests: what was asked, in order.
        index: where the answers are; settled.
        target: the new spool, there whole or not at all; when there is nothing to send again, not at all.
        also: words of which those are sent again, too.
        max_requests: how many requests a batch may have.
        max_bytes: how long the body of a batch may be.
        leave: is told of each request that did not succeed and is left, with its answer if it has one.

    Raises:
        ConfigurationError, StorageError: the file cannot be written.
    """
    sorting = _Sorting(index, also, leave)
    with NewSpool(target) as spool:

        def lengths() -> Iterator[int]:
            for asked in requests:
                if sorting.again(asked.custom_id):
                    line = asked.line + b"\n"
                    spool.write(line)
                    yield len(line)

        slices = list(split(lengths(), max_requests=max_requests, max_bytes=max_bytes))
        if slices:
            spool.publish()
    counts = sorting.counts
    return Resubmission(
        requests=counts.total(),
        succeeded=counts[SUCCEEDED],
        again={what: n for what, n in counts.items() if retryable(what, also)},
        left={what: n for what, n in counts.items() if what != SUCCEEDED and not retryable(what, also)},
        slices=slices,
        digest=spool.digest,
    )


class _Sorting:
    """Tells the requests that are sent again from the others, and counts all."""

    def __init__(self, index: Index, also: Collection[str], leave: Callable[[str, Answer | None], None]) -> None:
        self._index = index
        self._also = also
        self._leave = leave
        self.counts: Counter[str] = Counter()  # requests by the word for what became of them

    def again(self, custom_id: str) -> bool:
        """Whether this request, the next one, is sent again."""
        answer = self._index.get(custom_id)
        what = MISSING if answer is None else answer.word
        self.counts[what] += 1
        if retryable(what, self._also):
            return True
        if what != SUCCEEDED:
            self._leave(custom_id, answer)
        return False
