"""Watch many batches and deliver each one to its sinks as it ends.

One task watches; an engine takes the batches that have ended and has each delivered to its own writers. Batches wait in
a queue between them, which holds objects of a few hundred bytes, no more than are watched; records wait nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import AsyncExitStack, aclosing
from random import Random

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.arguments import check_client, check_kind, check_observer
from streamer.clock import Clock, SystemClock
from streamer.delivery.deliver import Deliverer
from streamer.delivery.reconciliation import Reconciliation
from streamer.engines.engine import Engine
from streamer.engines.local import LocalEngine
from streamer.observer import Observer
from streamer.report import BatchReport, Outcome, RunReport
from streamer.runs.batchids import BatchRef, ids_of
from streamer.runs.openfiles import fitting
from streamer.runs.options import RunOptions
from streamer.sinks.guard import close_guarded
from streamer.sinks.targets import Target, sinks_of
from streamer.tasks import together
from streamer.watching.roster import Ended, Lost
from streamer.watching.watch import WatchOptions, watch


async def run(
    client: Client,
    batch_ids: Iterable[BatchRef] | AsyncIterable[BatchRef],
    sinks: Target | Iterable[Target],
    options: RunOptions | None = None,
    *,
    observer: Observer | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> RunReport:
    """Wait for batches to end and deliver every record of each to every sink.

    What goes wrong with one batch is in its report and stops no other. Cancelling leaves no task, thread or socket
    behind; running it again goes on where it was.

    Args:
        client: talks to the API.
        batch_ids: the batches, in any state: ids, or objects with an `id`, e.g. batches of this or of the official
            client. Those of an asynchronous iterable are taken in as they come; the run then ends when the iterable
            has and all its batches have, and at once with what it raises.
        sinks: where the records go: a sink; a path with `{batch_id}` in it, for files; or a string as the command
            line's `--to` takes it. Of several each gets every record. They are closed in the end, however it comes.
        options: how batches are waited for and delivered.
        observer: is told what happens while it happens. What it raises ends the run and is raised.
        clock: where time comes from.
        random: where jitter comes from.

    Returns:
        The report, which tells of every batch that was asked for; `report.complete` says whether every record of every
        batch is in every sink.

    Raises:
        ConfigurationError: an argument that cannot work.
        StreamerError: a task of the run was cancelled by somebody else, so its work is not done.
        AuthenticationError: the key is refused.
        TransportError, ApiError: the API cannot be reached at all.
        SinkError, StorageError: a sink could not be closed when all was done.

    Example:
        >>> async def main() -> None:
        ...     async with Client() as client:
        ...         report = await run(client, ["msgbatch_01..."], "results/{batch_id}.jsonl")
        ...     print(report.records, report.complete)
    """
    check_client(client, Client)
    options, observer, clock = options or RunOptions(), observer or Observer(), clock or SystemClock()
    check_kind("options", options, RunOptions)
    check_observer(observer, Observer)
    asked: dict[str, None] = {}  # every batch that the report must tell of
    ids = ids_of(batch_ids, asked.setdefault)
    sinks = sinks_of(sinks)
    reconciliation = None if options.expected_ids is None else Reconciliation(options.expected_ids)
    random = random or Random()  # noqa: S311 - jitter, no secret
    watching = WatchOptions(everything=options.everything, follow=options.follow, poll_interval=options.poll_interval)
    outcomes = watch(client, ids, watching, observer=observer, clock=clock, random=random)
    report = RunReport()
    begun, sent, repeated = clock.monotonic(), client.requests, client.retries
    async with AsyncExitStack() as stack:
        for sink in sinks:
            stack.push_async_callback(close_guarded, sink)
        deliverer = Deliverer(
            client, sinks, options, reconciliation=reconciliation, observer=observer, clock=clock, random=random
        )
        await _work(outcomes, asked, deliverer, LocalEngine(fitting(options.concurrency, sinks)), report, observer)
    told = {batch.batch_id for batch in report.batches}
    forgotten = "nothing became of it in this run, which is a mistake in streamer; run the same again"
    report.batches += [
        BatchReport(batch_id=batch_id, outcome=Outcome.FAILED, error=forgotten)
        for batch_id in asked
        if batch_id not in told
    ]
    if reconciliation is not None:
        report.missing, report.missing_ids = reconciliation.missing, reconciliation.missing_ids()
    report.seconds = clock.monotonic() - begun
    report.requests = client.requests - sent
    report.retries = client.retries - repeated
    return report


async def _work(
    outcomes: AsyncGenerator[Ended | Lost, None],
    asked: dict[str, None],
    deliverer: Deliverer,
    engine: Engine,
    report: RunReport,
    observer: Observer,
) -> None:
    """Watch in one task, and have an engine deliver what has ended."""
    ended: asyncio.Queue[Batch | None] = asyncio.Queue()

    async def follow() -> None:
        async with aclosing(outcomes):
            async for outcome in outcomes:
                if isinstance(outcome, Lost):
                    asked.setdefault(outcome.batch_id)
                    lost = BatchReport(batch_id=outcome.batch_id, outcome=Outcome.FAILED, error=str(outcome.error))
                    report.batches.append(lost)
                    observer.finished(lost)
                else:
                    asked.setdefault(outcome.batch.id)
                    ended.put_nowait(outcome.batch)
        ended.put_nowait(None)

    await together("streamer run", [follow(), engine.place(ended, deliverer.deliver, report.batches.append)])
