"""Watch many batches and deliver each one to its sinks as it ends.

One task watches; a fixed number of others each take an ended batch and deliver it to its own writers. Batches wait in a
queue between them, which holds objects of a few hundred bytes, no more than are watched; records wait nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from random import Random

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.clock import Clock, SystemClock
from streamer.delivery.deliver import Deliverer
from streamer.delivery.reconciliation import Reconciliation
from streamer.errors import ConfigurationError, StreamerError
from streamer.observer import Observer
from streamer.report import BatchReport, Outcome, RunReport
from streamer.runs.options import RunOptions
from streamer.sinks.base import Sink
from streamer.sinks.guard import close_guarded
from streamer.watching.roster import Ended, Lost
from streamer.watching.watch import WatchOptions, watch


async def run(
    client: Client,
    batch_ids: Iterable[str] | AsyncIterable[str],
    sinks: Sequence[Sink] | Sink,
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
        batch_ids: the batches, in any state. Those of an asynchronous iterable are taken in as they come; the run
            then ends when the iterable has and all its batches have, and at once with what it raises.
        sinks: where the records go; several sinks each get every record.
        options: how batches are waited for and delivered.
        observer: is told what happens while it happens.
        clock: where time comes from.
        random: where jitter comes from.

    Returns:
        The report; `report.complete` says whether every record of every batch is in every sink.

    Raises:
        ConfigurationError: an argument that cannot work.
        AuthenticationError: the key is refused.
        TransportError, ApiError: the API cannot be reached at all.
        SinkError, StorageError: a sink could not be closed when all was done.

    Example:
        >>> async def main() -> None:
        ...     async with Client() as client:
        ...         report = await run(client, ["msgbatch_01..."], FileSink("results/{batch_id}.jsonl"))
        ...     print(report.records, report.complete)
    """
    if isinstance(batch_ids, str):
        raise ConfigurationError(f"batch_ids is a collection of strings, not one string; write [{batch_ids!r}]")
    options = options or RunOptions()
    reconciliation = None if options.expected_ids is None else Reconciliation(options.expected_ids)
    observer, clock = observer or Observer(), clock or SystemClock()
    random = random or Random()  # noqa: S311 - jitter, no secret
    watching = WatchOptions(everything=options.everything, follow=options.follow, poll_interval=options.poll_interval)
    outcomes = watch(client, batch_ids, watching, observer=observer, clock=clock, random=random)
    report = RunReport()
    begun, sent, repeated = clock.monotonic(), client.requests, client.retries
    async with AsyncExitStack() as stack:
        sinks = [sinks] if isinstance(sinks, Sink) else list(sinks)
        for sink in sinks:
            stack.push_async_callback(close_guarded, sink)
        deliverer = Deliverer(
            client,
            sinks,
            options,
            reconciliation=reconciliation,
            observer=observer,
            clock=clock,
            random=random,
        )
        await _work(outcomes, deliverer, options.concurrency, report, observer)
    if reconciliation is not None:
        report.missing, report.missing_ids = reconciliation.missing, reconciliation.missing_ids()
    report.seconds = clock.monotonic() - begun
    report.requests = client.requests - sent
    report.retries = client.retries - repeated
    return report


async def _work(
    outcomes: AsyncGenerator[Ended | Lost, None],
    deliverer: Deliverer,
    concurrency: int,
    report: RunReport,
    observer: Observer,
) -> None:
    """Watch in one task, and deliver what has ended in so many others."""
    ended: asyncio.Queue[Batch | None] = asyncio.Queue()

    async def follow() -> None:
        async with aclosing(outcomes):
            async for outcome in outcomes:
                if isinstance(outcome, Lost):
                    lost = BatchReport(batch_id=outcome.batch_id, outcome=Outcome.FAILED, error=str(outcome.error))
                    report.batches.append(lost)
                    observer.finished(lost)
                else:
                    ended.put_nowait(outcome.batch)
        for _ in range(concurrency):
            ended.put_nowait(None)

    async def serve() -> None:
        while (batch := await ended.get()) is not None:
            report.batches.append(await deliverer.deliver(batch))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(), name="streamer watch")
            for n in range(concurrency):
                group.create_task(serve(), name=f"streamer deliver {n}")
    except BaseExceptionGroup as errors:
        raise _leaf(errors) from None


def _leaf(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that ended a run; the group itself when there are several kinds, or it is a bug of ours."""
    matched, rest = errors.split(StreamerError)
    if matched is None or rest is not None:
        return errors
    error: BaseException = matched
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
