"""Watch many batches and deliver each one as it ends: `run` into sinks, `stream` as one iterator of records.

One task watches; a fixed number of others each take an ended batch and deliver it to its own writers. Batches wait in a
queue between them, which holds objects of a few hundred bytes, no more than are watched; records wait nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import Self

from streamer.api.client import Client
from streamer.api.clock import Clock, SystemClock
from streamer.api.errors import ConfigurationError, IncompleteError, StreamerError
from streamer.api.types import Batch
from streamer.delivery import Options, deliver
from streamer.report import BatchReport, Observer, Outcome, RunReport
from streamer.results.accounting import Tally
from streamer.results.block import Block
from streamer.results.framing import MAX_RECORD_BYTES
from streamer.results.record import Record
from streamer.roster import POLL_INTERVAL, Lost
from streamer.sinks.base import Sink, Writer
from streamer.watch import watch

CONCURRENCY = 8  # downloads under way at once


async def run(
    client: Client,
    batch_ids: Iterable[str],
    sinks: Sequence[Sink] | Sink,
    *,
    everything: bool = False,
    follow: bool = False,
    only: Collection[str] | None = None,
    concurrency: int = CONCURRENCY,
    poll_interval: float = POLL_INTERVAL,
    max_record_bytes: int = MAX_RECORD_BYTES,
    rejects: str | None = None,
    observer: Observer | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> RunReport:
    """Wait for batches to end and deliver every record of each to every sink.

    What goes wrong with one batch is in its report and stops no other. Cancelling leaves no task, thread or socket
    behind; running it again goes on where it was.

    Args:
        client: talks to the API.
        batch_ids: the batches, in any state.
        sinks: where the records go; several sinks each get every record.
        everything: every batch of the workspace as well whose results are not archived yet.
        follow: keep looking for new batches; then this never returns by itself.
        only: the result types to deliver, e.g. `{"succeeded", "errored"}`; all by default.
        concurrency: downloads under way at once. Memory is bounded by this times the records held at once.
        poll_interval: seconds: the shortest pause between two questions about the same batch.
        max_record_bytes: a longer record is never held whole; sinks that cannot take it in parts reject it.
        rejects: path template of the file that keeps what could not be decoded, e.g.
            `results/{batch_id}.rejects.jsonl`; it is made only when there is something to keep.
        observer: is told what happens while it happens.
        clock: where time comes from.
        random: where jitter comes from.

    Returns:
        The report; `report.complete` says whether every record of every batch is in every sink.

    Raises:
        ConfigurationError: an argument that cannot work.
        AuthenticationError: the key is refused.
        TransportError, ApiError: the API cannot be reached at all.

    Example:
        >>> async def main() -> None:
        ...     async with Client() as client:
        ...         report = await run(client, ["msgbatch_01..."], FileSink("results/{batch_id}.jsonl"))
        ...     print(report.records, report.complete)
    """
    if concurrency < 1:
        raise ConfigurationError(f"concurrency must be 1 or more, not {concurrency}")
    sinks = [sinks] if isinstance(sinks, Sink) else list(sinks)
    observer = observer or Observer()
    clock = clock or SystemClock()
    random = random or Random()  # noqa: S311 - jitter, no secret
    only = None if only is None else frozenset(only)
    options = Options(only=only, max_record_bytes=max_record_bytes, rejects=rejects)
    report = RunReport()
    begun, sent, repeated = clock.monotonic(), client.requests, client.retries

    def done(batch: BatchReport) -> None:
        report.batches.append(batch)

    async def follow_batches(ended: asyncio.Queue[Batch | None]) -> None:
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
        async for outcome in outcomes:
            if isinstance(outcome, Lost):
                lost = BatchReport(batch_id=outcome.batch_id, outcome=Outcome.FAILED, error=str(outcome.error))
                observer.finished(lost)
                done(lost)
            else:
                ended.put_nowait(outcome.batch)
        for _ in range(concurrency):
            ended.put_nowait(None)

    async def deliver_batches(ended: asyncio.Queue[Batch | None]) -> None:
        while (batch := await ended.get()) is not None:
            done(await deliver(client, batch, sinks, options, observer=observer, clock=clock, random=random))

    async with AsyncExitStack() as stack:
        for sink in sinks:
            stack.push_async_callback(sink.close)
        ended: asyncio.Queue[Batch | None] = asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(follow_batches(ended), name="streamer watch")
                for n in range(concurrency):
                    group.create_task(deliver_batches(ended), name=f"streamer deliver {n}")
        except BaseExceptionGroup as errors:
            raise _leaf(errors) from None
    report.seconds = clock.monotonic() - begun
    report.requests = client.requests - sent
    report.retries = client.retries - repeated
    return report


def _leaf(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that ended a run; the group itself when there are several kinds, or it is a bug of ours."""
    matched, rest = errors.split(StreamerError)
    if matched is None or rest is not None:
        return errors
    error: BaseException = matched
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def stream(
    client: Client,
    batch_ids: Iterable[str],
    *,
    only: Collection[str] | None = None,
    concurrency: int = CONCURRENCY,
    poll_interval: float = POLL_INTERVAL,
    max_record_bytes: int = MAX_RECORD_BYTES,
    observer: Observer | None = None,
) -> Records:
    """The records of many batches as one asynchronous iterator, batch by batch as each one ends.

    Within this run each record comes exactly once, whatever breaks off on the way. Nothing is remembered: to go on
    where an earlier run stopped, use `run` with a sink that keeps what it holds.

    Args:
        client: talks to the API.
        batch_ids: the batches, in any state.
        only: the result types wanted; all by default.
        concurrency: downloads under way at once; records of so many batches may come interleaved.
        poll_interval: seconds: the shortest pause between two questions about the same batch.
        max_record_bytes: a longer record is not held: the batch then counts as incomplete.
        observer: is told what happens while it happens.

    Returns:
        A context manager that gives the iterator; leaving it stops everything and leaves nothing behind.

    Raises:
        IncompleteError: after the last record, when a batch is not complete; `Records.report` says which and why.

    Example:
        >>> async def main() -> None:
        ...     async with Client() as client:
        ...         async with stream(client, ["msgbatch_01..."]) as records:
        ...             async for record in records:
        ...                 print(record.custom_id, record.type)
    """
    queue: asyncio.Queue[Block | None] = asyncio.Queue(maxsize=1)

    async def work() -> RunReport:
        try:
            report = await run(
                client,
                batch_ids,
                _BlockSink(queue),
                only=only,
                concurrency=concurrency,
                poll_interval=poll_interval,
                max_record_bytes=max_record_bytes,
                observer=observer,
            )
        except Exception:
            await queue.put(None)  # the iterator goes on to raise what ended the run
            raise
        await queue.put(None)
        return report

    return Records(queue, work)


class Records:
    """The records of a run as they come; made by `stream`."""

    def __init__(
        self, queue: asyncio.Queue[Block | None], work: Callable[[], Coroutine[None, None, RunReport]]
    ) -> None:
        self._queue = queue
        self._work = work
        self._task: asyncio.Task[RunReport] | None = None
        self._report: RunReport | None = None

    @property
    def report(self) -> RunReport:
        """What the run did; there once the iterator has ended.

        Raises:
            ConfigurationError: it has not ended yet.
        """
        if self._report is None:
            raise ConfigurationError("the report is there once every record has been read")
        return self._report

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work(), name="streamer stream")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled() and kind is None:
                self._task.result()

    async def __aiter__(self) -> AsyncIterator[Record]:
        async for block in self.blocks():
            for record in block.records():
                yield record

    async def blocks(self) -> AsyncIterator[Block]:
        """The records in blocks, as they came from the network: cheaper than one by one."""
        if self._task is None:
            raise ConfigurationError("use `async with streamer.stream(...) as records`, then iterate over records")
        while (block := await self._queue.get()) is not None:
            yield block
        self._report = await self._task
        if not self._report.complete:
            failed = [report for report in self._report.batches if not report.complete]
            raise IncompleteError(
                f"{len(failed):,} of {len(self._report.batches):,} batches are not complete; "
                f"{failed[0].batch_id}: {failed[0].error}",
                expected=sum(report.expected for report in self._report.batches),
                received=sum(report.distinct for report in self._report.batches),
            )


class _BlockSink(Sink):
    """Hands blocks to the one who iterates; a full queue holds the downloads back."""

    def __init__(self, queue: asyncio.Queue[Block | None]) -> None:
        self._queue = queue

    async def open(self, batch: Batch) -> Writer:
        return _BlockWriter(self._queue)


class _BlockWriter(Writer):
    destination = "stream"

    def __init__(self, queue: asyncio.Queue[Block | None]) -> None:
        super().__init__(Tally())
        self._queue = queue

    async def write(self, block: Block) -> None:
        await self._queue.put(block)

    async def commit(self) -> None:
        """Every block has been handed over."""

    async def close(self) -> None:
        """There is nothing to let go of."""
