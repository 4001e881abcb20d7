"""Watch many batches and deliver each one to its sinks as it ends.

One task watches; a fixed number of others each take an ended batch and deliver it to its own writers. Batches wait in a
queue between them, which holds objects of a few hundred bytes, no more than are watched; records wait nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from random import Random

from streamer.api.client import Client
from streamer.api.clock import Clock, SystemClock
from streamer.api.errors import ConfigurationError, StreamerError
from streamer.api.types import RESULT_TYPES, Batch
from streamer.delivery.delivery import Options, deliver
from streamer.delivery.reconciliation import Reconciliation
from streamer.report import BatchReport, Observer, Outcome, RunReport
from streamer.results.framing import MAX_RECORD_BYTES
from streamer.sinks.base import Sink
from streamer.sinks.guard import close_guarded
from streamer.watching.roster import POLL_INTERVAL, Ended, Lost
from streamer.watching.watch import watch

CONCURRENCY = 8  # downloads under way at once


async def run(
    client: Client,
    batch_ids: Iterable[str] | AsyncIterable[str],
    sinks: Sequence[Sink] | Sink,
    *,
    everything: bool = False,
    follow: bool = False,
    only: Collection[str] | None = None,
    concurrency: int = CONCURRENCY,
    poll_interval: float = POLL_INTERVAL,
    max_record_bytes: int = MAX_RECORD_BYTES,
    usage: bool = True,
    rejects: str | None = None,
    expected_ids: Iterable[str] | None = None,
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
        everything: every batch of the workspace as well whose results are not archived yet.
        follow: keep looking for new batches; then this never returns by itself.
        only: the result types to deliver, e.g. `{"succeeded", "errored"}`; all by default.
        concurrency: downloads under way at once. Memory is bounded by this times the records held at once.
        poll_interval: seconds: the shortest pause between two questions about the same batch.
        max_record_bytes: a longer record is never held whole; sinks that cannot take it in parts reject it.
        usage: count tokens. Without it ids and types of records of the usual shape are read from their first bytes,
            which takes half the time, and damage further inside a record goes unnoticed here.
        rejects: path template of the file that keeps what could not be decoded, e.g.
            `results/{batch_id}.rejects.jsonl`; it is made only when there is something to keep.
        expected_ids: the custom_ids of the requests, of all these batches together, where they are known: then the
            report names those that no batch answered, and a batch that answers others is not complete.
        observer: is told what happens while it happens.
        clock: where time comes from.
        random: where jitter comes from.

    Returns:
        The report; `report.complete` says whether every record of every batch is in every sink.

    Raises:
        ConfigurationError: an argument that cannot work.
        AuthenticationError: the key is refused.
        TransportError, ApiError: the API cannot be reached at all.
        SinkError: a sink could not be closed when all was done.

    Example:
        >>> async def main() -> None:
        ...     async with Client() as client:
        ...         report = await run(client, ["msgbatch_01..."], FileSink("results/{batch_id}.jsonl"))
        ...     print(report.records, report.complete)
    """
    _check(batch_ids, only, concurrency, poll_interval, max_record_bytes)
    reconciliation = None if expected_ids is None else Reconciliation(expected_ids)
    options = Options(
        only=None if only is None else frozenset(only),
        max_record_bytes=max_record_bytes,
        rejects=rejects,
        usage=usage,
        reconciliation=reconciliation,
    )
    observer, clock = observer or Observer(), clock or SystemClock()
    random = random or Random()  # noqa: S311 - jitter, no secret
    outcomes = watch(
        client,
        batch_ids,
        everything=everything,
        follow=follow,
        poll_interval=poll_interval,
        observer=observer,
        clock=clock,
        random=random,
    )
    report = RunReport()
    begun, sent, repeated = clock.monotonic(), client.requests, client.retries
    async with AsyncExitStack() as stack:
        sinks = [sinks] if isinstance(sinks, Sink) else list(sinks)
        for sink in sinks:
            stack.push_async_callback(close_guarded, sink)
        delivering = partial(
            deliver, client, sinks=sinks, options=options, observer=observer, clock=clock, random=random
        )
        await _work(outcomes, delivering, concurrency, report, observer)
    if reconciliation is not None:
        report.missing, report.missing_ids = reconciliation.missing, reconciliation.missing_ids()
    report.seconds = clock.monotonic() - begun
    report.requests = client.requests - sent
    report.retries = client.retries - repeated
    return report


def _check(
    batch_ids: Iterable[str] | AsyncIterable[str],
    only: Collection[str] | None,
    concurrency: int,
    poll_interval: float,
    max_record_bytes: int,
) -> None:
    """Refuse what cannot work. A misspelt type would match nothing, and a batch with nothing to deliver is complete.

    Raises:
        ConfigurationError: an argument that cannot work.
    """
    for name, text in (("batch_ids", batch_ids), ("only", only)):
        if isinstance(text, str):
            raise ConfigurationError(f"{name} is a collection of strings, not one string; write [{text!r}]")
    if unknown := set(only or ()).difference(RESULT_TYPES):
        raise ConfigurationError(f"{min(unknown)!r} is no type of result; they are {', '.join(RESULT_TYPES)}")
    if concurrency < 1:
        raise ConfigurationError(f"concurrency must be 1 or more, not {concurrency}")
    if not poll_interval > 0:
        raise ConfigurationError(f"poll_interval must be more than 0 seconds, not {poll_interval}")
    if max_record_bytes < 1:
        raise ConfigurationError(f"max_record_bytes must be 1 or more, not {max_record_bytes}")


async def _work(
    outcomes: AsyncGenerator[Ended | Lost, None],
    delivering: Callable[[Batch], Awaitable[BatchReport]],
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
            report.batches.append(await delivering(batch))

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
