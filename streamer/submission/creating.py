"""The creates of a submission, one after the other, each exactly once.

intent written ─► create ─┬─ answered ──────────────► id written
├─ refused ───────────────► intent withdrawn; wait for room, or stop
└─ unknown, or killed ────► search: the one ─► id written
none ────► sent again
several ─► somebody decides
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from random import Random
from typing import TypeVar

import msgspec

from streamer.api.client import Client
from streamer.api.types import Batch, BatchPage
from streamer.clock import Clock, SystemClock
from streamer.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    StreamerError,
    SubmissionError,
)
from streamer.progress import Progress, Work
from streamer.submission.ledger import Ledger, Planned, State
from streamer.submission.options import CreateOptions
from streamer.submission.refusal import QUEUE_PATIENCE, TOLD_EVERY, passes, pause, remedy
from streamer.submission.settlement import there_before
from streamer.submission.settling import OnUnknown, settle
from streamer.submission.spoolbody import SpoolBody
from streamer.threads import Threads
from streamer.watching.watch import watch

T = TypeVar("T")

log = logging.getLogger("streamer.submission")

NEWEST = 100  # batches that are looked at before a create
MOST_UNKNOWN = 5  # creates of one batch of which no batch came and no answer either, before it is given up


async def create_batches(
    client: Client,
    ledger: Ledger,
    options: CreateOptions | None = None,
    *,
    attempt: int | None = None,
    working: Callable[[Progress], None] = lambda progress: None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> AsyncGenerator[Planned, None]:
    """Create every batch that the ledger has planned, and yield each one: first those that are created already.

    Interrupted anywhere, the same again goes on. While the queue of the workspace is full it waits, for as long as its
    youngest batch can live.

    Args:
        client: sends the creates.
        ledger: what is planned; for one `create_batches` at a time.
        options: how.
        attempt: create the batches of this one only.
        working: is told of each body that is sent, as it begins.
        clock: where time comes from.
        random: where jitter comes from.

    Raises:
        SubmissionError: a batch was refused, or it cannot be told whether one was created; those before it are there.
        ConfigurationError: `on_unknown` names a batch that it cannot be.
        AuthenticationError: the key is refused.
    """
    options = options or CreateOptions()
    threads = Threads("streamer-ledger", 1)
    creator = _Creator(
        client,
        ledger,
        threads,
        on_unknown=options.on_unknown,
        working=working,
        clock=clock or SystemClock(),
        random=random or Random(),  # noqa: S311 - jitter, no secret
    )
    try:
        wanted = await creator.begin(attempt)
        for one in wanted:
            if one.state is State.CREATED:
                yield one
        warming: Planned | None = None  # the first batch of the attempt, when it holds one request
        at = 0  # the attempt
        for one in wanted:
            if one.state is not State.CREATED:
                if options.warm_cache and warming is not None and one.attempt == at:
                    await creator.until_ended(warming)
                    warming = None
                one = await creator.create(one)  # noqa: PLW2901 - the same batch, further on
                yield one
            if one.attempt != at:
                at, warming = one.attempt, one if one.slice.requests == 1 else None
    finally:
        threads.close()


class _Creator:
    """What the creates of one submission share."""

    def __init__(
        self,
        client: Client,
        ledger: Ledger,
        threads: Threads,
        *,
        on_unknown: OnUnknown,
        working: Callable[[Progress], None],
        clock: Clock,
        random: Random,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._threads = threads
        self._on_unknown = on_unknown
        self._working = working
        self._clock = clock
        self._random = random
        self._known: set[str] = set()  # ids in the ledger
        self._done = self._total = 0  # batches of those that are wanted
        self._lists = True  # until a gateway passes no list on

    async def begin(self, attempt: int | None) -> list[Planned]:
        """Read the ledger; the batches that are wanted."""
        every = await self._threads.run(self._ledger.batches)
        self._known = {one.batch_id for one in every if one.batch_id is not None}
        wanted = [one for one in every if attempt is None or one.attempt == attempt]
        self._total = len(wanted)
        self._done = sum(one.state is State.CREATED for one in wanted)
        return wanted

    async def create(self, one: Planned) -> Planned:
        """Create a batch that is not created yet, as far as the ledger knows."""
        progress = Progress(Work.SENDING, batch=self._done + 1, batches=self._total)
        body = SpoolBody(self._ledger.directory / one.spool, one.slice, progress)
        if one.state is State.INTENDED:
            log.warning("a create was interrupted; looking whether a batch came of it", extra={"action": "settle"})
            if (batch_id := await self._settled(one)) is not None:
                return await self._created(one, batch_id)
        room = _Room(self._clock, self._random)
        for _ in range(MOST_UNKNOWN):
            one = await self._intended(one)
            try:
                batch = await self._sent(one, body, progress, room)
            except OutcomeUnknownError as error:
                unknown = error
                log.warning("%s; looking whether a batch came of it", error, extra={"action": "settle"})
                if (batch_id := await self._settled(one)) is not None:
                    return await self._created(one, batch_id)
            else:
                return await self._created(one, batch.id)
        raise self._stopped(unknown) from unknown

    async def until_ended(self, warming: Planned) -> None:
        """Wait until the batch that warms the cache has ended, however it did."""
        ids = [warming.batch_id or ""]
        log.warning("waiting until %s has ended, which warms the cache", ids[0], extra={"action": "warm_cache"})
        async with aclosing(watch(self._client, ids, clock=self._clock, random=self._random)) as outcomes:
            await self._answered(anext(outcomes))

    async def _sent(self, one: Planned, body: SpoolBody, progress: Progress, room: _Room) -> Batch:
        """The batch, once there is room for it.

        Raises:
            OutcomeUnknownError: there may be a batch now; the intent stands.
            StreamerError: it was refused for good; the intent is withdrawn.
        """
        while True:
            try:
                with progress:
                    self._working(progress)
                    return await self._client.create(body)
            except OutcomeUnknownError:
                raise
            except StreamerError as error:
                await self._threads.run(partial(self._ledger.withdraw, one.number))
                if isinstance(error, (AuthenticationError, ConfigurationError)):
                    raise
                if not passes(error) or not await room.wait(error):
                    raise self._stopped(error) from error
            one = await self._intended(one)

    async def _intended(self, one: Planned) -> Planned:
        at = self._clock.now().timestamp()
        one = msgspec.structs.replace(one, state=State.INTENDED, intended_at=at)
        newest = await self._newest() if self._lists else None
        since, before = (None, []) if newest is None else there_before(newest, one)
        await self._threads.run(partial(self._ledger.intend, one.number, at, since, before))
        return msgspec.structs.replace(one, since=since, before=tuple(before))

    async def _newest(self) -> BatchPage | None:
        """The newest batches of the workspace; None where a gateway passes no list on."""
        try:
            return await self._answered(self._client.list_page(limit=NEWEST))
        except ApiError as error:
            if isinstance(error, AuthenticationError):
                raise
            self._lists = False
            return None

    async def _created(self, one: Planned, batch_id: str) -> Planned:
        await self._threads.run(partial(self._ledger.created, one.number, batch_id))
        self._known.add(batch_id)
        self._done += 1
        extra = {"action": "created", "batch_id": batch_id}
        log.info("%s is created, batch %d of %d", batch_id, self._done, self._total, extra=extra)
        return msgspec.structs.replace(one, state=State.CREATED, batch_id=batch_id)

    async def _settled(self, one: Planned) -> str | None:
        """The batch that an intent made; None when it made none, and is withdrawn."""
        spool = self._ledger.directory / one.spool
        batch_id = await self._answered(
            settle(
                self._client,
                one,
                spool,
                self._known,
                on_unknown=self._on_unknown,
                clock=self._clock,
                threads=self._threads,
            )
        )
        if batch_id is None:
            await self._threads.run(partial(self._ledger.withdraw, one.number))
        return batch_id

    async def _answered(self, question: Awaitable[T]) -> T:
        """An answer of the API; that there is none stops the submission."""
        try:
            return await question
        except (AuthenticationError, ConfigurationError, SubmissionError):
            raise
        except StreamerError as error:
            if isinstance(error, ApiError) and error.status < 500 and error.status != 429:
                raise
            raise self._stopped(error) from error

    def _stopped(self, error: StreamerError) -> SubmissionError:
        return SubmissionError(f"{self._done:,} of {self._total:,} batches are created; {error}; {remedy(error)}")


class _Room:
    """The waiting while the workspace takes no more."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._refusals = 0
        self._began = 0.0  # with the first refusal
        self._told: float | None = None

    async def wait(self, error: StreamerError) -> bool:
        """Wait after a refusal; False when this has lasted too long."""
        now = self._clock.monotonic()
        self._refusals += 1
        if self._refusals == 1:
            self._began = now
        if now - self._began > QUEUE_PATIENCE:
            return False
        if self._told is None or now - self._told >= TOLD_EVERY:
            self._told = now
            log.warning("no room for another batch yet, waiting: %s", error, extra={"action": "queue_full"})
        await self._clock.sleep(pause(self._refusals, self._random))
        return True
