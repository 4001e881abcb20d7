"""Follow any number of batches until each has ended, at the cost of a few requests a round.

A round asks for the batches that are due (`roster`), in the requests that cost least (`sweep`); answers come from list
pages and single retrieves alike. Nothing here waits for a download.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from streamer.api.client import Client
from streamer.api.exchange import Polled
from streamer.api.secret import refuse_key
from streamer.api.types import PAGE_LIMIT, Batch, BatchPage
from streamer.clock import Clock, SystemClock
from streamer.defaults import POLL_INTERVAL
from streamer.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    TransportError,
)
from streamer.observer import Observer
from streamer.tasks import together
from streamer.watching.feed import feeding
from streamer.watching.roster import Ended, Lost, Roster
from streamer.watching.sweep import Page, Single, Sweep

log = logging.getLogger("streamer.watch")

PATIENCE = 3600.0  # seconds without any usable answer after which watching is given up
SIMULTANEOUS = 8  # requests of one round under way at once
NO_SUCH_PAGE = {400, 404, 405, 501}  # the cursor's batch is gone, or a gateway passes no list on
OLDEST_IN_PROGRESS = timedelta(hours=25)  # a batch expires after 24 hours

# What comes of one request of a round.
Reply = BatchPage | Batch | ApiError | TransportError | ConfigurationError


@dataclass(frozen=True, kw_only=True)
class WatchOptions:
    """What is watched, and how often.

    Attributes:
        everything: follow every batch of the workspace as well whose results are not archived yet.
        follow: keep looking for new batches in the workspace; then watching never ends by itself.
        poll_interval: seconds: the shortest pause between two questions about the same batch. The pause grows with
            the batch's age to a minute, and is never shorter than the `retry-after` that the server sends.
    """

    everything: bool = False
    follow: bool = False
    poll_interval: float = POLL_INTERVAL


async def watch(
    client: Client,
    batch_ids: Iterable[str] | AsyncIterable[str] = (),
    options: WatchOptions | None = None,
    *,
    observer: Observer | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> AsyncGenerator[Ended | Lost, None]:
    """Follow batches and yield each one as it ends, or as it turns out that there is nothing to fetch.

    Args:
        client: asks the API; its rate limiter and retry policy hold here too.
        batch_ids: the batches to follow; those of an asynchronous iterable as they come, until it has ended.
        options: what else to follow, and how often to ask.
        observer: is told of every answer.
        clock: where time comes from.
        random: where jitter comes from.

    Raises:
        AuthenticationError: the key is refused, so no batch can be followed.
        TransportError, ApiError: nothing usable came for an hour, or never, whatever the retries.

    Example:
        >>> async def ended(client: Client, batch_ids: list[str]) -> None:
        ...     async for outcome in watch(client, batch_ids):
        ...         print(outcome)
    """
    options = options or WatchOptions()
    everything, follow, poll_interval = options.everything, options.follow, options.poll_interval
    clock = clock or SystemClock()
    roster = Roster(interval=poll_interval, clock=clock, random=random or Random())  # noqa: S311 - jitter, no secret
    watcher = _Watcher(client, roster, observer, clock)

    def add(batch_id: str) -> None:
        refuse_key(batch_id, "what was given as a batch id")  # or it would be in a report
        roster.add(batch_id)

    async with feeding(batch_ids, add) as feed:
        if everything or follow:
            async for outcomes in watcher.discover(everything=everything):
                for outcome in outcomes:
                    yield outcome
        while len(roster) or follow or feed.open:
            for outcome in await watcher.round(roster.due()):
                yield outcome
            wait = min(roster.wait(), poll_interval) if follow else roster.wait()
            if observer is not None and (len(roster) or follow):
                observer.paused(wait)
            await feed.wait(clock, wait if len(roster) or follow else None)
            if follow:
                async for outcomes in watcher.discover(everything=True):
                    for outcome in outcomes:
                        yield outcome
        feed.check()


class _Watcher:
    """The requests of one `watch`."""

    def __init__(self, client: Client, roster: Roster, observer: Observer | None, clock: Clock) -> None:
        self._client = client
        self._roster = roster
        self._observer = observer
        self._clock = clock
        self._sweep = Sweep()
        self._last_answer: float | None = None  # when anything usable came; on the monotonic clock

    async def discover(self, *, everything: bool) -> AsyncGenerator[list[Ended | Lost], None]:
        """Take in the workspace's batches that are not known yet, newest first, a page at a time.

        Ends at a page that holds a known batch beyond those asked for by id, at the first archived batch (whatever is
        older is archived too), or, unless `everything` is wanted, where batches are too old to be in progress.
        """
        cursor: str | None = None
        while True:
            [(_, page)] = await self._ask([Page(cursor)])
            if not isinstance(page, BatchPage):
                self._tolerate(page)
                return
            self._last_answer = self._clock.monotonic()
            news = [batch for batch in page.data if not self._roster.listed(batch.id)]
            for batch in news:
                wanted = batch.archived_at is None and (everything or not batch.ended)
                self._roster.list(batch.id, watch=wanted)
            yield self._take(page.data)
            behind = len(news) < len(page.data) or any(batch.archived_at for batch in page.data)
            if behind or not page.has_more or page.last_id is None or (not everything and self._too_old(page.data[-1])):
                return
            cursor = page.last_id

    async def round(self, due: Sequence[str]) -> list[Ended | Lost]:
        """Ask for the batches in `due`, in as few requests as it takes."""
        self._sweep.begin(due)
        outcomes: list[Ended | Lost] = []
        while wave := self._sweep.wave():
            for request, reply in await self._ask(wave):
                outcomes += self._learn(request, reply)
        return outcomes

    async def _ask(self, requests: list[Page | Single]) -> list[tuple[Page | Single, Reply]]:
        """Send requests, a few at a time; errors come back as replies."""
        slots = asyncio.Semaphore(SIMULTANEOUS)

        async def ask(request: Page | Single) -> tuple[Page | Single, Reply]:
            async with slots:
                try:
                    polled: Polled[Batch] | Polled[BatchPage]
                    if isinstance(request, Single):
                        polled = await self._client.poll_batch(request.batch_id)
                    else:
                        polled = await self._client.poll_page(limit=PAGE_LIMIT, after_id=request.after_id)
                except (ApiError, TransportError, ConfigurationError) as error:
                    return request, error
            if polled.retry_after is not None:
                self._roster.hint = polled.retry_after
            return request, polled.value

        return await together("streamer ask", [ask(request) for request in requests])

    def _learn(self, request: Page | Single, reply: Reply) -> list[Ended | Lost]:
        if isinstance(reply, BatchPage):
            self._last_answer = self._clock.monotonic()
            self._sweep.answered(request, reply)
            return self._take(reply.data)
        if isinstance(request, Single):
            self._sweep.answered(request, None)
            return self._learn_single(request.batch_id, reply)
        if isinstance(reply, ApiError) and reply.status in NO_SUCH_PAGE:
            self._sweep.answered(request, None)  # ask for its batches one by one
            return []
        self._tolerate(reply)
        for batch_id in self._sweep.give_up():
            self._roster.postpone(batch_id)
        return []

    def _learn_single(self, batch_id: str, reply: Reply) -> list[Ended | Lost]:
        if isinstance(reply, Batch):
            self._last_answer = self._clock.monotonic()
            return self._take([reply])
        if isinstance(reply, NotFoundError):
            self._last_answer = self._clock.monotonic()
            lost = self._roster.missing(batch_id, reply)
        elif isinstance(reply, ConfigurationError) or (isinstance(reply, ApiError) and _final(reply)):
            lost = self._roster.refuse(batch_id, reply)
        else:
            self._tolerate(reply)
            self._roster.postpone(batch_id)
            lost = None
        if lost is None:
            return []
        self._sweep.forget(batch_id)
        return [lost]

    def _take(self, batches: list[Batch]) -> list[Ended | Lost]:
        outcomes = []
        for batch in batches:
            if batch.id in self._roster:
                if self._observer is not None:
                    self._observer.polled(batch)
                if (outcome := self._roster.update(batch)) is not None:
                    self._sweep.forget(batch.id)
                    outcomes.append(outcome)
        return outcomes

    def _tolerate(self, reply: Reply) -> None:
        """Go on after an error that says nothing about a batch, unless it says everything or has lasted too long."""
        if not isinstance(reply, Exception):
            return
        now = self._clock.monotonic()
        if isinstance(reply, AuthenticationError) or self._last_answer is None or now - self._last_answer > PATIENCE:
            raise reply
        log.warning("no answer about the batches, watching on: %s", reply, extra={"action": "poll_failed"})

    def _too_old(self, batch: Batch) -> bool:
        return batch.created_at is not None and self._clock.now() - batch.created_at > OLDEST_IN_PROGRESS


def _final(error: ApiError) -> bool:
    """Whether asking again cannot change the answer."""
    return (
        400 <= error.status < 500 and error.status not in {408, 409, 429} and not isinstance(error, AuthenticationError)
    )
