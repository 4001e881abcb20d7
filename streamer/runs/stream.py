"""The records of many batches as one asynchronous iterator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from types import TracebackType
from typing import Self

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.errors import ConfigurationError, IncompleteError
from streamer.observer import Observer
from streamer.report import RunReport
from streamer.results.accounting import Tally
from streamer.results.block import Block
from streamer.results.record import Record
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.base import Sink, Writer


def stream(
    client: Client, batch_ids: Iterable[str], options: RunOptions | None = None, *, observer: Observer | None = None
) -> Records:
    """The records of many batches as one asynchronous iterator, batch by batch as each one ends.

    Within this run each record comes exactly once, whatever breaks off on the way. Nothing is remembered: to go on
    where an earlier run stopped, use `run` with a sink that keeps what it holds.

    Args:
        client: talks to the API.
        batch_ids: the batches, in any state.
        options: as those of `run`. A record longer than `max_record_bytes` is not held: the batch then counts as
            incomplete. Without `usage` records come faster, unless each one's `result` is used, whose decoding takes
            the most.
        observer: is told what happens while it happens.

    Returns:
        A context manager that gives the iterator; leaving it stops everything and leaves nothing behind.

    Raises:
        ConfigurationError: when iterating begins: an argument that cannot work.
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
            report = await run(client, batch_ids, _BlockSink(queue), options, observer=observer)
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
        """The records in blocks, as they came from the network: cheaper than one by one.

        Raises:
            ConfigurationError: it is used outside `async with`.
            IncompleteError: after the last block, when a batch is not complete.
        """
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
