"""The records of many batches as one asynchronous iterator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Self

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.errors import ConfigurationError, IncompleteError, StreamerError
from streamer.observer import Observer
from streamer.report import RunReport
from streamer.results.accounting import Tally
from streamer.results.block import Block
from streamer.results.record import Record
from streamer.runs.batchids import BatchRef
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.base import Sink, Writer
from streamer.tasks import wait_out


def stream(
    client: Client,
    batch_ids: Iterable[BatchRef] | AsyncIterable[BatchRef],
    options: RunOptions | None = None,
    *,
    observer: Observer | None = None,
) -> Records:
    """The records of many batches as one asynchronous iterator, batch by batch as each one ends.

    Within this run each record comes exactly once, whatever breaks off on the way. Nothing is remembered: to go on
    where an earlier run stopped, use `run` with a sink that keeps what it holds.

    Args:
        client: talks to the API.
        batch_ids: the batches, in any state, as `run` takes them.
        options: as those of `run`. A record longer than `max_record_bytes` is not held: the batch then counts as
            incomplete. Without `usage` records come faster, unless each one's `result` is used, whose decoding takes
            the most.
        observer: is told what happens while it happens.

    Returns:
        A context manager that gives the iterator; leaving it stops everything and leaves nothing behind. Reading may
        stop and go on, as records or as blocks; one task at a time reads.

    Raises:
        ConfigurationError: when iterating: an argument that cannot work, a second reader, or a stream that was left.
        IncompleteError: after the last record, when a batch is not complete; `Records.report` says which and why.

    Example:
        >>> async def main() -> None:
        ...     async with Client() as client:
        ...         async with stream(client, ["msgbatch_01..."]) as records:
        ...             async for record in records:
        ...                 print(record.custom_id, record.type)
    """
    channel = _Channel()
    return Records(channel, lambda: run(client, batch_ids, _BlockSink(channel), options, observer=observer))


class Records:
    """The records of a run as they come; made by `stream`, entered once, read by one task at a time.

    Reading goes on where it stopped, record by record or in blocks, so each record comes exactly once.
    """

    def __init__(self, channel: _Channel, work: Callable[[], Coroutine[None, None, RunReport]]) -> None:
        self._channel = channel
        self._work = work
        self._task: asyncio.Task[RunReport] | None = None
        self._report: RunReport | None = None
        self._left = False  # the `async with` is over
        self._waiting = False  # somebody waits for the next block
        self._told = False  # a reader has been told what became of the run
        self._block: Block | None = None  # the one that is being read record by record
        self._rest: Iterator[Record] = iter(())  # its records that were not read yet

    def __repr__(self) -> str:
        state = "not entered" if self._task is None else "left" if self._left else "open"
        return f"<Records, {state}>"

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
        if self._task is not None:
            raise ConfigurationError(
                "this stream was entered before, and its records have gone by; make another with streamer.stream(...)"
            )
        self._task = asyncio.create_task(self._work(), name="streamer stream")
        self._task.add_done_callback(lambda _: self._channel.end())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left = True
        if self._task is not None:
            task = self._task
            task.cancel()
            await wait_out(lambda: [] if task.done() else [task], cancel=True)
            if not (task.cancelled() or self._told) and kind is None:
                task.result()

    async def __aiter__(self) -> AsyncIterator[Record]:
        while True:
            rest = self._rest
            for record in rest:
                yield record
            if rest is self._rest:  # else another iterator has begun the next block
                self._block = await self._next()
                if self._block is None:
                    return
                self._rest = self._block.records()

    async def blocks(self) -> AsyncIterator[Block]:
        """The records in blocks, as they came from the network: cheaper than one by one.

        Raises:
            ConfigurationError: it is used outside `async with`, or by two tasks at once.
            IncompleteError: after the last block, when a batch is not complete.
            StreamerError: what ended the run.
        """
        if self._block is not None and (left := sum(1 for _ in self._rest)):
            block, self._block = self._block, None
            yield block.pick([n >= len(block) - left for n in range(len(block))])
        while (next_block := await self._next()) is not None:
            yield next_block

    async def _next(self) -> Block | None:
        """The next block; None behind the last one of a run that is complete."""
        if self._task is None:
            raise ConfigurationError("use `async with streamer.stream(...) as records`, then iterate over records")
        if self._left:
            raise ConfigurationError("this stream was left, which ended it; read its records inside the `async with`")
        if self._waiting:
            raise ConfigurationError(
                "two tasks read this stream at once; have one read it and hand on what it reads, e.g. by asyncio.Queue"
            )
        self._waiting = True
        try:
            block = await self._channel.take()
        finally:
            self._waiting = False
        if block is None:
            self._check()
        return block

    def _check(self) -> None:
        """See that the run, which has ended, has delivered everything."""
        assert self._task is not None  # noqa: S101 - it has ended
        self._told = True
        if self._task.cancelled():
            raise StreamerError(
                "the stream was cut off: its task was cancelled by somebody else (asyncio.all_tasks?), so records are "
                "missing; stream the same again"
            )
        self._report = self._task.result()
        if not self._report.complete:
            failed = [report for report in self._report.batches if not report.complete]
            raise IncompleteError(
                f"{len(failed):,} of {len(self._report.batches):,} batches are not complete; "
                f"{failed[0].batch_id}: {failed[0].error}",
                expected=sum(report.expected for report in self._report.batches),
                received=sum(report.distinct for report in self._report.batches),
            )


class _Channel:
    """Hands one block at a time to the one who reads; whoever has the next one waits until it is taken."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(1)
        self._blocks: asyncio.Queue[Block | None] = asyncio.Queue()

    async def put(self, block: Block) -> None:
        await self._room.acquire()
        self._blocks.put_nowait(block)

    async def take(self) -> Block | None:
        """The next block; None, again and again, at the end."""
        block = await self._blocks.get()
        if block is None:
            self._blocks.put_nowait(None)
        else:
            self._room.release()
        return block

    def end(self) -> None:
        """Nothing more comes."""
        self._blocks.put_nowait(None)


class _BlockSink(Sink):
    """Hands blocks to the one who iterates, who holds the downloads back."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel

    async def open(self, batch: Batch) -> Writer:
        return _BlockWriter(self._channel)


class _BlockWriter(Writer):
    destination = "stream"

    def __init__(self, channel: _Channel) -> None:
        super().__init__(Tally())
        self._channel = channel

    async def write(self, block: Block) -> None:
        await self._channel.put(block)

    async def commit(self) -> None:
        """Every block has been handed over."""

    async def close(self) -> None:
        """There is nothing to let go of."""
