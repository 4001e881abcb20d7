"""The life of one batch, as plain functions of time: when it ends, and what became of its requests.

    in_progress -> ended                    all requests processed, or 24 hours over (the rest: expired)
    in_progress -> canceling -> ended       by a cancel (the rest: canceled)

Nothing here is stored or scheduled: a batch's state follows from when it was created, how long it takes, when it was
canceled, and what time it is. That is why 100,000 batches cost nothing until someone asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, gcd

from streamer.emulator.clock import DAY
from streamer.emulator.settings import RECORD_TYPES

EXPIRY = DAY  # from created_at: what is not processed by then expires
ARCHIVE = 29 * DAY  # from created_at: results are available until then


@dataclass(frozen=True, slots=True)
class Course:
    """How one batch goes; all times in microseconds.

    Attributes:
        created: when it was created.
        duration: how long processing all of its requests takes, undisturbed.
        canceled: when it was canceled, if it was.
        cancel_duration: how long it is canceling.
    """

    created: int
    duration: int
    canceled: int | None
    cancel_duration: int

    @property
    def expires(self) -> int:
        """24 hours after its creation."""
        return self.created + EXPIRY

    @property
    def archives(self) -> int:
        """When its results become unavailable."""
        return self.created + ARCHIVE

    @property
    def _undisturbed(self) -> int:
        return min(self.created + self.duration, self.expires)

    @property
    def ends(self) -> int:
        """When it ends, or has ended."""
        if self.canceled is None:
            return self._undisturbed
        return min(self._undisturbed, self.canceled + self.cancel_duration)

    def status(self, now: int) -> str:
        """Its `processing_status`."""
        if now >= self.ends:
            return "ended"
        return "in_progress" if self.canceled is None else "canceling"

    @property
    def processed(self) -> float:
        """The share of its requests that is processed by its end."""
        until = self.ends
        if self.canceled is not None and until < self._undisturbed:
            until = self.canceled
        return min(1.0, (until - self.created) / self.duration)

    @property
    def leftover(self) -> str:
        """What becomes of the requests that are not processed."""
        return "canceled" if self.ends < self._undisturbed else "expired"


class Outcomes:
    """What becomes of each request of a batch: how many of each type, and which is which.

    Attributes:
        counts: how many requests become of each type, by type.

    >>> some = Outcomes({"succeeded": 3, "errored": 1})
    >>> [some.type_at(position) for position in range(4)]
    ['succeeded', 'errored', 'succeeded', 'succeeded']
    """

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts
        self._total = sum(counts.values())
        self._step = max(1, int(self._total * 0.618034))  # the golden section spreads neighbours evenly
        while gcd(self._step, self._total) > 1:
            self._step += 1

    def type_at(self, position: int) -> str:
        """The type of the request at `position`, counted from 0: an affine shuffle, then the counts."""
        rank = position * self._step % self._total
        for name, count in self.counts.items():
            if rank < count:
                return name
            rank -= count
        raise IndexError(position)


def outcomes(total: int, course: Course, mix: dict[str, float], phase: float) -> Outcomes:
    """What becomes of `total` requests.

    Args:
        total: the requests of the batch.
        course: its life, which says how many are processed.
        mix: shares of what processed requests become.
        phase: from 0 up to 1, different for each batch, so that small shares show up in some of many small batches.
    """
    processed = floor(total * course.processed + 1e-9)
    counts = dict.fromkeys(RECORD_TYPES, 0)
    share = 0.0
    reached = 0
    for name, part in mix.items():
        share += part
        upto = min(processed, floor(share * processed + phase + 1e-9))
        counts[name] += upto - reached
        reached = upto
    counts[max(mix, key=mix.__getitem__)] += processed - reached  # what rounding left over
    counts[course.leftover] += total - processed
    return Outcomes(counts)
