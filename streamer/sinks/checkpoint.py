"""Any sink with a memory: what it has acknowledged is written to a journal, and not delivered again after a crash."""

from __future__ import annotations

import os

from streamer.api.types import Batch
from streamer.errors import SinkError
from streamer.results.accounting import Tally
from streamer.results.block import Block
from streamer.sinks.base import Sink, Writer
from streamer.sinks.journal import Journal
from streamer.threads import Threads


class CheckpointedSink(Sink):
    """Wraps a sink that cannot say what it holds, such as a callback, a queue or stdout.

    At least once across a crash, exactly once otherwise: a block counts as acknowledged when the wrapped sink's
    `write` has returned and the journal has it. After a kill at most one block of each batch under way, the one that
    was being written, is delivered again.

    Args:
        sink: where the records go.
        path: the journal, an SQLite file on a local disk; one process at a time.
        name: what the journal knows the sink by; give it again to go on, and another one to another sink.

    Example:
        >>> sink = CheckpointedSink(CallbackSink(print), "results/acknowledged.sqlite", name="print")
    """

    durable = True

    def __init__(self, sink: Sink, path: str | os.PathLike[str], *, name: str) -> None:
        self._sink = sink
        self.open_files = sink.open_files
        self._name = name
        self._journal = Journal(path)
        self._threads = Threads("streamer-checkpoint", 1)

    def __repr__(self) -> str:
        return f"CheckpointedSink({self._sink!r}, {str(self._journal.path)!r}, name={self._name!r})"

    async def open(self, batch: Batch) -> CheckpointedWriter:
        """Open a writer of the wrapped sink, and recall what it has acknowledged.

        Raises:
            SinkError: the journal is damaged or in use, or the wrapped sink cannot be opened.
        """
        held = Tally()
        delivered = await self._threads.run(lambda: self._journal.delivered(self._name, batch.id))
        if delivered is not None:
            held.types.update(delivered)
        else:
            held.remember(await self._threads.run(lambda: self._journal.acknowledged(self._name, batch.id)))
        writer = await self._sink.open(batch)
        if len(writer.held):
            await writer.close()
            raise SinkError(f"{writer.destination} knows itself what it holds; it takes no checkpoint")
        return CheckpointedWriter(
            writer, held, batch.id, self._name, self._journal, self._threads, delivered is not None
        )

    async def close(self) -> None:
        """Close the wrapped sink and the journal."""
        try:
            await self._sink.close()
        finally:
            try:
                await self._threads.run(self._journal.close)
            finally:
                self._threads.close()


class CheckpointedWriter(Writer):
    """The writer of the wrapped sink, with a journal of what it has acknowledged."""

    def __init__(
        self, writer: Writer, held: Tally, batch_id: str, name: str, journal: Journal, threads: Threads, committed: bool
    ) -> None:
        super().__init__(held)
        self.destination = writer.destination
        self.committed = committed
        self._writer = writer
        self._batch_id = batch_id
        self._name = name
        self._journal = journal
        self._threads = threads

    async def write(self, block: Block) -> None:
        """Have the wrapped sink take the block, then remember that it has."""
        await self._writer.write(block)
        records = list(zip(block.ids, block.types, strict=True))
        await self._threads.run(lambda: self._journal.acknowledge(self._name, self._batch_id, records))

    async def commit(self) -> None:
        """Commit the wrapped writer, then remember that the batch is delivered."""
        await self._writer.commit()
        await self._threads.run(lambda: self._journal.deliver(self._name, self._batch_id))
        self.committed = True

    async def close(self) -> None:
        """Close the wrapped writer."""
        await self._writer.close()
