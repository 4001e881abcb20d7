"""Follow any number of batches until each has ended, at the cost of a few requests a round.

A round asks for the batches that are due (`roster`), in the requests that cost least (`sweep`); answers come from list
pages and single retrieves alike. Nothing here waits for a download.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from streamer.api.client import Client
from streamer.api.exchange import Polled
from streamer.api.retry import NO_LIST_STATUSES, PAGE_REFUSED_STATUSES
from streamer.api.secret import refuse_key
from streamer.api.types import PAGE_LIMIT, Batch, BatchPage
from streamer.clock import Clock, SystemClock
from streamer.defaults import POLL_INTERVAL
from streamer.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    GatewayError,
    NotFoundError,
    TransportError,
)
from streamer.observer import Observer
from streamer.tasks import together
from streamer.watching.feed import feeding
from streamer.watching.roster import PATIENCE, Ended, Lost, Roster
from streamer.watching.sweep import Page, Single, Sweep

log = logging.getLogger("streamer.watch")

TOLD_EVERY = 60.0  # seconds between two warnings that no answer comes
LEAST_PAUSE = 1.0  # seconds between the beginnings of two rounds, whatever comes; less with a shorter poll_interval
SIMULTANEOUS = 8  # requests of one round under way at once
OLDEST_IN_PROGRESS = timedelta(hours=25)  # a batch expires after 24 hours

# What comes of one request of a round.
Trouble = ApiError | TransportError | ConfigurationError
Reply = BatchPage | Batch | Trouble


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
        TransportError, ApiError: nothing usable came for an hour, or the API was never heard at all, whatever the
            retries; or the workspace is to be followed and cannot be listed.

    Example:
        >>> async def ended(client: Client, batch_ids: list[str]) -> None:
        ...     async for outcome in watch(client, batch_ids):
        ...         print(outcome)
    """
    options = options or WatchOptions()
    clock = clock or SystemClock()
    roster = Roster(interval=options.poll_interval, clock=clock, random=random or Random())  # noqa: S311 - jitter
    watcher = _Watcher(client, roster, options, observer, clock)
    floor = min(options.poll_interval, LEAST_PAUSE)

    def add(batch_id: str) -> None:
        refuse_key(batch_id, "what was given as a batch id")  # or it would be in a report
        roster.add(batch_id)

    async with feeding(batch_ids, add) as feed:
        while True:
            begun = clock.monotonic()
            async for outcomes in watcher.discover():
                for outcome in outcomes:
                    yield outcome
            for outcome in await watcher.round(roster.due()):
                yield outcome
            if not (watcher.unfinished or feed.open):
                break
            wait = watcher.wait()
            if observer is not None and wait is not None:
                observer.paused(wait)
            await feed.wait(clock, None if wait is None else max(wait, begun + floor - clock.monotonic()))
            # Ids that come in quick succession are asked for together.
            while (watcher.unfinished or feed.open) and (left := begun + floor - clock.monotonic()) > 0:
                await feed.wait(clock, left)
        feed.check()


class _Watcher:
    """The requests of one `watch`."""

    def __init__(
        self, client: Client, roster: Roster, options: WatchOptions, observer: Observer | None, clock: Clock
    ) -> None:
        self._client = client
        self._roster = roster
        self._follow = options.follow
        self._everything = options.everything
        self._interval = options.poll_interval
        self._observer = observer
        self._clock = clock
        self._sweep = Sweep()
        self._last_answer = clock.monotonic()  # when anything usable came
        self._told_at = -math.inf  # when a warning was given
        # The search for new batches in the list: when it goes on, and where; None is never, and at the newest.
        self._search_at: float | None = clock.monotonic() if options.everything or options.follow else None
        self._cursor: str | None = None
        self._cursors: set[str | None] = set()  # all that this search has asked for
        self._first_search = True
        self._thorough = True  # until it has come to its end, a search does not stop at what is known

    @property
    def unfinished(self) -> bool:
        """Whether there is anything left to ask."""
        return len(self._roster) > 0 or self._search_at is not None

    def wait(self) -> float | None:
        """Seconds until there is something to ask; None when there is nothing."""
        search = math.inf if self._search_at is None else max(0.0, self._search_at - self._clock.monotonic())
        wait = min(search, self._roster.wait())
        return wait if wait < math.inf else None

    async def discover(self) -> AsyncGenerator[list[Ended | Lost], None]:
        """Take in the workspace's batches that are not known yet, newest first, a page at a time, when it is time to.

        The first search ends where batches are archived (whatever is older is archived too) or, unless everything is
        wanted, too old to be in progress; a later one already at a page that holds a known batch. One that breaks off
        goes on where it was.
        """
        while self._search_at is not None and self._search_at <= self._clock.monotonic():
            [(_, page)] = await self._ask([Page(self._cursor)])
            if not isinstance(page, BatchPage):
                if self._cursor is not None and _no_such_page(page):
                    self._cursor, self._thorough = None, True  # its batch is gone: all of it once more
                    self._cursors.clear()
                elif isinstance(page, ApiError) and _final(page):
                    raise page
                else:
                    self._tolerate(page)
                self._search_at = self._clock.monotonic() + self._interval
                return
            self._last_answer = self._clock.monotonic()
            known = self._take_in(page)
            yield self._take(page.data)
            self._cursors.add(self._cursor)
            self._cursor = page.last_id
            archived = any(batch.archived_at for batch in page.data)
            behind = archived or (known and not self._thorough) or self._too_old(page)
            if behind or not page.has_more or self._cursor in self._cursors:
                self._cursor = None
                self._cursors.clear()
                self._first_search = self._thorough = False
                self._search_at = self._clock.monotonic() + self._interval if self._follow else None

    def _take_in(self, page: BatchPage) -> bool:
        """Watch what is new and wanted on a page of the list; whether anything on it was known."""
        everything = self._everything or not self._first_search
        known = False
        for batch in page.data:
            if self._roster.listed(batch.id):
                known = True
            else:
                wanted = batch.archived_at is None and (everything or not batch.ended)
                self._roster.list(batch.id, watch=wanted)
        for item in page.undecodable:
            if item.id and not self._roster.listed(item.id):
                self._roster.list(item.id, watch=everything)
        return known

    async def round(self, due: Sequence[str]) -> list[Ended | Lost]:
        """Ask for the batches in `due`, in as few requests as it takes."""
        self._sweep.begin(due)
        outcomes: list[Ended | Lost] = []
        while wave := self._sweep.wave():
            for request, reply in await self._ask(wave):
                outcomes += self._learn(request, reply)
        self._roster.settle(due)
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
        if _no_such_page(reply):
            self._sweep.answered(request, None)  # ask for its batches one by one
            return []
        self._tolerate(reply)
        for batch_id in self._sweep.give_up():
            self._roster.postpone(batch_id)
        return []

    def _learn_single(self, batch_id: str, reply: Batch | Trouble) -> list[Ended | Lost]:
        lost: Lost | None
        if isinstance(reply, Batch):
            self._last_answer = self._clock.monotonic()
            return self._take([reply])
        if isinstance(reply, NotFoundError):
            self._last_answer = self._clock.monotonic()
            lost = self._roster.missing(batch_id, reply)
        elif isinstance(reply, GatewayError) and self._about_the_batch(reply):
            lost = self._roster.missing(batch_id, reply)
            self._tell("not believed yet: %s", reply)
        elif isinstance(reply, ConfigurationError) or (isinstance(reply, ApiError) and _final(reply)):
            lost = self._roster.refuse(batch_id, reply)
        else:
            self._tolerate(reply)
            lost = self._roster.unanswered(batch_id, reply)
        if lost is None:
            return []
        self._sweep.forget(batch_id)
        return [lost]

    def _about_the_batch(self, error: GatewayError) -> bool:
        """Whether an answer that is not the API's may mean this batch, and not the way to it.

        A gateway with errors of its own says in JSON that there is no such batch, or gives one that cannot be read. A
        page that says 404 may as well come from a proxy that restarts, or from where no API is at all.
        """
        if error.status == 404:
            return bool(error.detail) or not self._client.heard
        return error.status < 300 and bool(error.detail)

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
        since = self._clock.monotonic() - self._last_answer
        if isinstance(reply, AuthenticationError) or not self._client.heard or since > PATIENCE:
            raise reply
        self._tell("no answer about the batches, watching on: %s", reply)

    def _tell(self, text: str, error: Exception) -> None:
        """Warn of what is waited out, now and then: it may last for an hour, and concern many batches."""
        now = self._clock.monotonic()
        level = logging.WARNING if now - self._told_at >= TOLD_EVERY else logging.INFO
        if level == logging.WARNING:
            self._told_at = now
        log.log(level, text, error, extra={"action": "poll_failed"})

    def _too_old(self, page: BatchPage) -> bool:
        """Whether what follows a page is too old to be in progress, and so not wanted by who only follows."""
        created = page.data[-1].created_at if page.data else None
        return not self._everything and created is not None and self._clock.now() - created > OLDEST_IN_PROGRESS


def _no_such_page(reply: Reply) -> bool:
    """Whether there is no such page: its cursor's batch is gone, or a gateway passes no list on."""
    return isinstance(reply, (ApiError, GatewayError)) and reply.status in NO_LIST_STATUSES | PAGE_REFUSED_STATUSES


def _final(error: ApiError) -> bool:
    """Whether asking again cannot change the answer."""
    return (
        400 <= error.status < 500 and error.status not in {408, 409, 429} and not isinstance(error, AuthenticationError)
    ) or error.status == 501
