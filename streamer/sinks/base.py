"""The sink contract: where records go, and what a sink promises about them.

A `Sink` is opened once for each batch and gives a `Writer`. The pipeline then goes
open → what do you hold → write(block), as often as needed → commit → close.

1. `Sink.open` may be called for several batches at once; of one batch there is one writer at a time.
2. `Writer.held` is what the writer already holds durably, by custom_id; the pipeline delivers the others only.
3. When `write` returns, the writer owns the block: it may buffer it, but must have it durable when `commit` returns.
   `write` is never called concurrently on one writer. Slowness is fine: it slows this batch's download only.
4. `commit` is called once, after the pipeline has proved the batch complete, and makes it final.
5. `close` is always called last, after an error or a cancellation too, and must leave no thread, task or file
   open; a writer closed without a commit keeps what it can, so that the next run delivers only the rest.

Whatever a sink raises ends this batch with a clear report and harms no other. Raise `SinkError` with a sentence that
says what to do; anything else is reported with its type.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from streamer.api.types import Batch
from streamer.results.accounting import Tally
from streamer.results.block import Block


class Writer(ABC):
    """A sink opened for one batch.

    Args:
        held: what is durably held of this batch, from earlier runs; `streamer.Tally()` when that is nothing.

    Attributes:
        held: the same. The pipeline delivers the other records only.
        destination: where the records of this batch go, for people: a path, a table, a callable's name.
        committed: True when an earlier run committed this batch; then `held` is checked and nothing is delivered.
    """

    destination: str = ""
    committed: bool = False

    def __init__(self, held: Tally) -> None:
        self.held = held

    @abstractmethod
    async def write(self, block: Block) -> None:
        """Take the records of `block`; none of them is held yet."""

    @abstractmethod
    async def commit(self) -> None:
        """Make the batch final: it has been proved complete."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything; called exactly once, whatever happened."""


class PartWriter(Writer):
    """A writer that can also take a record too long to be held in memory, in parts."""

    @abstractmethod
    async def write_part(self, part: bytes) -> None:
        """Take the next bytes of the one long record that is under way; the first call begins it."""

    @abstractmethod
    async def end_parts(self, *, keep: bool) -> None:
        """End the long record: keep it, or forget every part of it (it broke off, or is held already)."""


class Sink(ABC):
    """Where the records of batches go. A new one is a file: a sink, its writer, an entry point (`streamer.sinks`).

    What it has of a batch is said by the writer that `open` gives: `Writer.destination`, `Writer.held` and
    `Writer.committed`.

    Attributes:
        durable: True when its writers can tell after a crash what they hold (`held`, `committed`). Others can be
            wrapped in a `CheckpointedSink`, which remembers it for them.

    Example:
        >>> class CountWriter(Writer):
        ...     records = 0
        ...
        ...     async def write(self, block: Block) -> None:
        ...         self.records += len(block)
        ...
        ...     async def commit(self) -> None:
        ...         print(self.records)
        ...
        ...     async def close(self) -> None:
        ...         pass
        >>> class Count(Sink):
        ...     async def open(self, batch: Batch) -> Writer:
        ...         return CountWriter(Tally())
    """

    durable: bool = False

    #: How many files or connections each of its writers keeps open; a run has no more of them than the system lets it.
    open_files: int = 1

    @abstractmethod
    async def open(self, batch: Batch) -> Writer:
        """Open a writer for `batch`, finding out what is already held of it.

        Raises:
            SinkError: the target cannot be used.
        """

    async def close(self) -> None:  # noqa: B027 - most sinks own nothing beyond their writers
        """Let go of what the writers share; called after the last writer is closed. It may be opened again later."""
