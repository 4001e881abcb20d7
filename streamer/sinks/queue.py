"""Records into an `asyncio.Queue` that the embedding program reads."""

from __future__ import annotations

import asyncio
from typing import Any

from streamer.api.types import Batch
from streamer.errors import ConfigurationError
from streamer.results.accounting import Tally
from streamer.results.block import Block
from streamer.sinks.base import Sink, Writer
from streamer.sinks.per import Per, check_per, units
from streamer.tasks import end_if_asked


class QueueSink(Sink):
    """Puts every record, or every block, of all batches into one bounded queue.

    When the queue is full the downloads wait: its `maxsize` is the back-pressure. After the last record comes `None`,
    once. It does not come when the run is cancelled; so have the consumer cancelled too, as a task group does.
    Delivered means: in the queue; with `join`, that the consumer has called `task_done` for it. Running again puts
    everything again, unless the sink is wrapped in a `CheckpointedSink`, which wants `join`.

    Args:
        queue: an `asyncio.Queue[Record | None]`, or `[Block | None]` with `per="block"`; its `maxsize` must be set.
        per: put one `Record` or one `Block` at a time.
        join: have each block done with by the consumer before the next one of its batch is put.

    Raises:
        ConfigurationError: the queue is unbounded, so nothing would keep the results from filling the memory.

    Example:
        >>> async def consume(queue: asyncio.Queue[Record | None]) -> None:
        ...     while (record := await queue.get()) is not None:
        ...         print(record.custom_id)

    """

    open_files = 0

    def __init__(self, queue: asyncio.Queue[Any], *, per: Per = "record", join: bool = False) -> None:
        check_per(per)
        if queue.maxsize < 1:
            raise ConfigurationError("the queue has no bound; make it e.g. asyncio.Queue(maxsize=1000)")
        self._queue = queue
        self._per = per
        self._join = join

    def __repr__(self) -> str:
        return f"QueueSink({self._queue.qsize():,} of {self._queue.maxsize:,} waiting, per={self._per!r})"

    async def open(self, batch: Batch) -> QueueWriter:
        """Begin to put a batch; nothing is held of it."""
        return QueueWriter(self._queue, self._per, join=self._join)

    async def close(self) -> None:
        """Tell the consumer that nothing more comes, unless this is part of being cancelled."""
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            await self._queue.put(None)


class QueueWriter(Writer):
    """A queue, as one batch sees it."""

    destination = "a queue"

    def __init__(self, queue: asyncio.Queue[Any], per: Per, *, join: bool) -> None:
        super().__init__(Tally())
        self._queue = queue
        self._per = per
        self._join = join

    async def write(self, block: Block) -> None:
        """Put the records of `block`; returns when there was room for all of them, or when all are done with."""
        for unit in units(block, self._per):
            await self._queue.put(unit)
            end_if_asked()  # a queue of somebody's own may have kept it to itself
        if self._join:
            await self._queue.join()

    async def commit(self) -> None:
        """Nothing to do: what the consumer does is out of our hands."""

    async def close(self) -> None:
        """Nothing to let go of."""
