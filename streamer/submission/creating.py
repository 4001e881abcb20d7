"""The creates of a submission, one after the other, each exactly once.

    planned ──► intent written ──► create ─┬─ answered ────────────► id written
                     ▲                     ├─ refused by the API ──► intent withdrawn; wait for room, or stop
                     │                     └─ unknown, or killed ──► look for its batch ─┬─ the one ──► id written
                     │                                                                   ├─ several ──► somebody decides
                     └────────────────── first window kept ──────────────────────────────┴─ none

What an earlier run planned is looked for, too, before it is created: the ledger may be an older copy of itself.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
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
    GatewayError,
    OutcomeUnknownError,
    StreamerError,
    SubmissionError,
)
from streamer.progress import Progress, Work
from streamer.submission.candidates import can_be, earliest, since_begin, there_before
from streamer.submission.ledger import Ledger, Planned, State
from streamer.submission.options import CreateOptions
from streamer.submission.queuewait import QueueWait
from streamer.submission.recovery import Found, Recovery
from streamer.submission.refusal import cannot_be_listed, passes, remedy
from streamer.submission.sameworkspace import SEEN, check_workspace
from streamer.submission.spoolbody import SpoolBody
from streamer.threads import Threads
from streamer.watching.watch import watch

T = TypeVar("T")

log = logging.getLogger("streamer.submission")

NEWEST = 100  # batches that are looked at before a create
NOT_OURS, SINCE = "not ours", "since"  # what the ledger keeps: batches of others, and the time before the first create
MOST_UNKNOWN = 5  # creates of one batch of which no batch came and no answer either, before it is given up


async def create_batches(
    client: Client,
    ledger: Ledger,
    options: CreateOptions | None = None,
    *,
    retries: bool = True,
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
        retries: create those batches, too, whose requests were sent before.
        working: is told of each body that is sent, as it begins.
        clock: where time comes from.
        random: where jitter comes from.

    Raises:
        SubmissionError: a batch was refused, or it cannot be told whether one was created; those before it are there.
        ConfigurationError: `on_unknown` names a batch that it cannot be, or the project was begun at another API or in
            another workspace.
        AuthenticationError: the key is refused.
    """
    options, clock = options or CreateOptions(), clock or SystemClock()
    threads = Threads("streamer-ledger", 1)
    creator = _Creator(
        client,
        ledger,
        threads,
        Recovery(client, ledger.directory, on_unknown=options.on_unknown, clock=clock, threads=threads),
        working=working,
        clock=clock,
        random=random or Random(),  # noqa: S311 - jitter, no secret
    )
    try:
        wanted = await creator.begin(retries)
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
        recovery: Recovery,
        *,
        working: Callable[[Progress], None],
        clock: Clock,
        random: Random,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._threads = threads
        self._recovery = recovery
        self._working = working
        self._clock = clock
        self._random = random
        self._known: set[str] = set()  # ids in the ledger, of ours and of what is not ours
        self._resumed_since: float | None = None  # when an earlier run began what this one goes on with
        self._since: float | None = None  # before the first create of the project, by the server's clock
        self._listed: Sequence[Batch] | None = None  # since then, once they were looked for
        self._done = self._total = 0  # batches of those that are wanted
        self._begins = False  # whether the next create is the first one of the project
        self._lists = True  # until a gateway passes no list on

    async def begin(self, retries: bool) -> list[Planned]:
        """Read the ledger, and see that what is to be created belongs here; the batches that are wanted."""
        every = await self._threads.run(self._ledger.batches)
        self._known = {one.batch_id for one in every if one.batch_id is not None}
        self._known.update(await self._threads.run(lambda: self._ledger.facts(NOT_OURS)))
        wanted = [one for one in every if retries or not one.retry]
        self._total = len(wanted)
        self._done = sum(one.state is State.CREATED for one in wanted)
        if self._done < self._total:
            await self._answered(check_workspace(self._client, self._ledger, every, self._threads))
            self._resumed_since = await self._threads.run(self._ledger.resumed_since)
            self._begins = self._resumed_since is None and all(one.state is State.PLANNED for one in every)
            self._since = next(map(float, await self._threads.run(lambda: self._ledger.facts(SINCE))), None)
        return wanted

    async def create(self, one: Planned) -> Planned:
        """Create a batch that is not created yet, as far as the ledger knows."""
        progress = Progress(Work.SENDING, batch=self._done + 1, batches=self._total)
        body = SpoolBody(self._ledger.directory / one.spool, one.slice, progress)
        if one.state is State.INTENDED:
            log.warning("a create was interrupted; looking whether a batch came of it", extra={"action": "settle"})
            one, batch_id = await self._settled(one)
        else:
            batch_id = await self._made_before(one)
        queue = QueueWait(self._clock, self._random)
        unknown: OutcomeUnknownError | None = None
        looks = 0  # for a batch that may have been made
        while batch_id is None and looks < MOST_UNKNOWN:
            one, turned_up = await self._intended(one)
            if not turned_up:
                try:
                    batch_id = await self._sent(one, body, progress, queue)
                    continue
                except OutcomeUnknownError as error:
                    unknown = error
                    log.warning("%s; looking whether a batch came of it", error, extra={"action": "settle"})
            looks += 1
            one, batch_id = await self._settled(one)
        if batch_id is not None:
            return await self._created(one, batch_id)
        unknown = unknown or OutcomeUnknownError(f"batch {one.number} was looked for and not found again and again")
        raise self._stopped(unknown) from unknown

    async def until_ended(self, warming: Planned) -> None:
        """Wait until the batch that warms the cache has ended, however it did."""
        ids = [warming.batch_id or ""]
        log.warning("waiting until %s has ended, which warms the cache", ids[0], extra={"action": "warm_cache"})
        async with aclosing(watch(self._client, ids, clock=self._clock, random=self._random)) as outcomes:
            await self._answered(anext(outcomes))

    async def _sent(self, one: Planned, body: SpoolBody, progress: Progress, queue: QueueWait) -> str | None:
        """The id of the batch; None when there was no room for it, which was waited for.

        One create and no more: while it waited, what an earlier one made may have come to be listed.

        Raises:
            OutcomeUnknownError: there may be a batch now; the intent stands.
            StreamerError: it was refused for good; the intent is withdrawn.
        """
        try:
            with progress:
                self._working(progress)
                return (await self._client.create(body)).id
        except OutcomeUnknownError:
            raise
        except StreamerError as error:
            await self._threads.run(partial(self._ledger.withdraw, one.number))
            if isinstance(error, (AuthenticationError, ConfigurationError)):
                raise
            if not passes(error) or not await queue.wait(error):
                raise self._stopped(error) from error
            return None

    async def _intended(self, one: Planned) -> tuple[Planned, bool]:
        """The intent, written down; and whether what an earlier one of this batch made may have turned up by now."""
        at = self._clock.now().timestamp()
        newest = await self._newest() if self._lists else None
        if one.doubtful:
            one = msgspec.structs.replace(one, state=State.INTENDED, intended_at=at)
            turned_up = newest is not None and any(can_be(batch, one, self._known) for batch in newest.data)
            if not turned_up:
                await self._threads.run(partial(self._ledger.intend, one.number, at))
            return one, turned_up
        one = msgspec.structs.replace(one, state=State.INTENDED, intended_at=at, window_at=at)
        since, before = (None, []) if newest is None else there_before(newest, one)
        await self._threads.run(partial(self._ledger.intend, one.number, at, since, before))
        if newest is not None and self._begins:
            self._begins = False
            await self._threads.run(partial(self._note_beginning, newest, since))
        return msgspec.structs.replace(one, since=since, before=tuple(before)), False

    def _note_beginning(self, newest: BatchPage, since: float | None) -> None:
        """Before the first create of the project: what is there already is none of ours."""
        if since is None:
            return
        ids = [batch.id for batch in newest.data]
        self._ledger.add_facts(NOT_OURS, ids)
        self._ledger.add_facts(SEEN, ids[:1])  # it must be there for every key of this workspace
        self._ledger.set_fact(SINCE, repr(since))

    async def _newest(self) -> BatchPage | None:
        """The newest batches of the workspace; None where a gateway passes no list on."""
        try:
            return await self._answered(self._client.list_page(limit=NEWEST))
        except (ApiError, GatewayError) as error:
            if not cannot_be_listed(error):
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

    async def _settled(self, one: Planned) -> tuple[Planned, str | None]:
        """The batch that an intent made; None when none was found, and it is sent again."""
        batch_id = await self._looked_for(self._recovery.made_by(one, self._known))
        if batch_id is None and not one.doubtful:
            await self._threads.run(partial(self._ledger.doubt, one.number))
            one = msgspec.structs.replace(one, doubtful=True)
        return one, batch_id

    async def _made_before(self, one: Planned) -> str | None:
        """The batch that a planned one was made already, though this ledger does not know of it; None when it was not.

        Only where an earlier run worked in the project: what is there may be an older copy of what that left.
        """
        if self._resumed_since is None:
            return None
        window = since_begin(one, self._resumed_since, self._since)
        if self._listed is None:
            listed = await self._answered(self._recovery.listed_since(earliest(window), self._known))
            if listed is None:
                log.warning(
                    "the batches cannot be listed, so it is not known whether this project is an older copy of itself",
                    extra={"action": "settle"},
                )
            self._listed = listed or []
        return await self._looked_for(self._recovery.made_before(window, self._listed, self._known))

    async def _looked_for(self, looking: Awaitable[Found]) -> str | None:
        """The batch that was found; what is none of ours is never looked at again."""
        found = await self._answered(looking)
        if found.not_ours:
            self._known.update(found.not_ours)
            await self._threads.run(partial(self._ledger.add_facts, NOT_OURS, found.not_ours))
        return found.batch_id

    async def _answered(self, question: Awaitable[T]) -> T:
        """An answer of the API; that there is none stops the submission."""
        try:
            return await question
        except (AuthenticationError, ConfigurationError, SubmissionError):
            raise
        except StreamerError as error:
            if cannot_be_listed(error):
                raise
            raise self._stopped(error) from error

    def _stopped(self, error: StreamerError) -> SubmissionError:
        return SubmissionError(f"{self._done:,} of {self._total:,} batches are created; {error}; {remedy(error)}")
