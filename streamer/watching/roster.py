"""Who is being watched, when each is due, and what an answer about one means. Plain functions over data.

What can become of a watched batch: `Ended`, with results to stream; or `Lost`, with the reason: unknown (never seen:
mistyped, of another workspace, or deleted before), deleted (seen, then gone), archived (results are kept 29 days),
ended without results to fetch, or not heard of for an hour.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from streamer.api.types import Batch
from streamer.clock import Clock
from streamer.errors import GatewayError, NotFoundError, ResultsError, StreamerError

log = logging.getLogger("streamer.watch")

SLOWEST = 60.0  # seconds between two questions about an old batch
AGE_SHARE = 0.1  # a batch is asked for again after a tenth of its age: its end is noticed at most 10 % late
COALESCE = 0.2  # batches due within this share of their interval are asked for in the same round
UNKNOWN_GRACE = 15.0  # seconds; the API has answered 404 for batches that it had just created,
MISSING_GRACE = 120.0  # seconds; and for a while in mid-life (anthropics/anthropic-sdk-python#1432)
URL_GRACE = 120.0  # seconds that an ended batch may have no results_url
COUNTS_GRACE = 30.0  # seconds that an ended batch may have counts that cannot be its last
PATIENCE = 3600.0  # seconds without any usable answer after which watching is given up
MISSING_PAUSE = 5.0  # seconds between two questions while one of the graces runs


class Ended(NamedTuple):
    """Every record of this batch is final and can be fetched."""

    batch: Batch


class Lost(NamedTuple):
    """There is nothing to fetch for this batch, for the reason in `error`."""

    batch_id: str
    error: StreamerError


def pause(age: float, *, interval: float, hint: float | None, random: Random) -> float:
    """Seconds until a batch that is `age` seconds old is asked for again; never sooner than the server's `hint`.

    >>> [round(pause(age, interval=10, hint=None, random=Random(1))) for age in (0, 300, 7200)]
    [10, 31, 62]
    """
    shortest = max(interval, hint or 0.0)
    return max(shortest, min(age * AGE_SHARE, SLOWEST)) * random.uniform(1.0, 1.2)


@dataclass(slots=True)
class _Watched:
    due: float  # on the monotonic clock
    born: float  # likewise: when it was created, as far as known
    interval: float = 0.0  # the pause that `due` was set with
    seen: bool = False
    requests: int | None = None  # how many it has, as it said while it was in progress
    doubts: dict[str, float] = field(default_factory=dict)  # what was odd about it, since when


class Roster:
    """The watched batches and the rules of their lives."""

    def __init__(self, *, interval: float, clock: Clock, random: Random) -> None:
        self.interval = interval  # seconds: the shortest pause between two questions about a batch
        self.hint: float | None = None  # seconds: the newest `retry-after` that came with a 200
        self._clock = clock
        self._random = random
        self._watched: dict[str, _Watched] = {}
        self._asked: set[str] = set()  # every id that was ever watched
        self._listed: set[str] = set()  # every id that the workspace's list has shown

    def __len__(self) -> int:
        return len(self._watched)

    def __contains__(self, batch_id: object) -> bool:
        return batch_id in self._watched

    def __repr__(self) -> str:
        return f"<Roster {len(self):,} watched, {len(self._asked):,} so far>"

    def add(self, batch_id: str) -> None:
        """Watch one more batch, from now on; one that was watched before is not watched again."""
        if batch_id not in self._asked:
            now = self._clock.monotonic()
            self._asked.add(batch_id)
            self._watched[batch_id] = _Watched(due=now, born=now)

    def listed(self, batch_id: str) -> bool:
        """Whether the workspace's list has shown this batch before."""
        return batch_id in self._listed

    def list(self, batch_id: str, *, watch: bool) -> None:
        """The workspace's list shows this batch for the first time; watch it, if that is wanted."""
        self._listed.add(batch_id)
        if watch:
            self.add(batch_id)

    def due(self) -> Sequence[str]:
        """The batches to ask for now."""
        now = self._clock.monotonic()
        return [i for i, one in self._watched.items() if one.due - one.interval * COALESCE <= now]

    def wait(self) -> float:
        """Seconds until the next batch is due; infinity when none is watched."""
        soonest = min((one.due for one in self._watched.values()), default=math.inf)
        return max(0.0, soonest - self._clock.monotonic())

    def update(self, batch: Batch) -> Ended | Lost | None:
        """Take an answer about a watched batch; its outcome, when there is one."""
        one, now = self._watched[batch.id], self._clock.monotonic()
        if not one.seen:
            one.seen = True
            if batch.created_at is not None:
                one.born = now - max(0.0, (self._clock.now() - batch.created_at).total_seconds())
        if batch.archived_at is not None:
            when = f"{batch.archived_at:%Y-%m-%d %H:%M} UTC"
            return self._lost(batch.id, f"its results are gone since {when}: they are kept 29 days from its creation")
        if batch.ended:
            if batch.results_url is None:
                error = ResultsError(f"it has ended, but for {URL_GRACE:.0f} s the server named no results_url")
                return self._wait_or_lose(batch.id, "no results_url", URL_GRACE, error)
            if not _final_counts(batch, one.requests) and self._doubted(batch.id, "counts", COUNTS_GRACE):
                return None
            del self._watched[batch.id]
            log.info("%s has ended", batch.id, extra={"action": "ended", "batch_id": batch.id})
            return Ended(batch)
        if batch.processing_status not in {"in_progress", "canceling"}:
            extra = {"action": "unknown_status", "batch_id": batch.id}
            log.warning("%s has the unknown status %r: watching on", batch.id, batch.processing_status, extra=extra)
        one.doubts.clear()
        one.requests = batch.requests
        one.interval = pause(now - one.born, interval=self.interval, hint=self.hint, random=self._random)
        one.due = now + one.interval
        return None

    def missing(self, batch_id: str, error: NotFoundError | GatewayError) -> Lost | None:
        """There is no such batch, or what there is cannot be read: believe it after a while.

        The API's own word is believed sooner than that of something in between.
        """
        if isinstance(error, GatewayError):
            return self._wait_or_lose(batch_id, "not to be had", MISSING_GRACE, error)
        if not self._watched[batch_id].seen:
            return self._wait_or_lose(batch_id, "unknown", UNKNOWN_GRACE, error)
        deleted = ResultsError("it was deleted while it was being watched")
        return self._wait_or_lose(batch_id, "deleted", MISSING_GRACE, deleted)

    def refuse(self, batch_id: str, error: StreamerError) -> Lost:
        """This batch cannot be asked for at all."""
        del self._watched[batch_id]
        return Lost(batch_id, error)

    def unanswered(self, batch_id: str, error: StreamerError) -> Lost | None:
        """No usable answer came about this batch: ask again after the usual pause, for an hour at most."""
        if not self._doubted(batch_id, "unanswered", PATIENCE):
            return self.refuse(batch_id, error)
        self.postpone(batch_id)
        return None

    def postpone(self, batch_id: str) -> None:
        """This batch was not asked for: ask after the usual pause."""
        one = self._watched[batch_id]
        one.interval = pause(0.0, interval=self.interval, hint=self.hint, random=self._random)
        one.due = self._clock.monotonic() + one.interval

    def settle(self, asked: Iterable[str]) -> None:
        """A round for these batches is over: no answer leaves a batch due at once, whatever it was about."""
        now = self._clock.monotonic()
        for batch_id in asked:
            if batch_id in self._watched and self._watched[batch_id].due <= now:
                self.postpone(batch_id)

    def _wait_or_lose(self, batch_id: str, doubt: str, grace: float, error: StreamerError) -> Lost | None:
        return None if self._doubted(batch_id, doubt, grace) else self.refuse(batch_id, error)

    def _doubted(self, batch_id: str, doubt: str, grace: float) -> bool:
        """Ask again soon about what may pass; False once it has lasted for so many seconds."""
        one, now = self._watched[batch_id], self._clock.monotonic()
        if now - one.doubts.setdefault(doubt, now) >= grace:
            return False
        one.interval = min(self.interval, MISSING_PAUSE)
        one.due = now + one.interval
        return True

    def _lost(self, batch_id: str, reason: str) -> Lost:
        return self.refuse(batch_id, ResultsError(reason))


def _final_counts(batch: Batch, requests: int | None) -> bool:
    """Whether the counts of an ended batch can be its last ones.

    They come late at times: nothing is in progress any more, and the requests are as many as they were.
    """
    counts = batch.request_counts
    return counts is not None and counts.processing == 0 and requests in (None, counts.total)
