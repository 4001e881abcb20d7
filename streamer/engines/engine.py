"""The seam between a run and where its deliveries take place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from streamer.api.types import Batch
from streamer.report import BatchReport

Deliver: TypeAlias = Callable[[Batch], Awaitable[BatchReport]]
Done: TypeAlias = Callable[[BatchReport], None]


class Engine(Protocol):
    """Places one thing: *deliver this batch*. Watching, the report and the rate limit stay with the run."""

    async def place(self, ended: asyncio.Queue[Batch | None], deliver: Deliver, done: Done) -> None:
        """Have each batch delivered, and return when all are.

        Args:
            ended: the batches, as they end; None behind the last one.
            deliver: delivers one.
            done: is told what became of each.

        Raises:
            StreamerError: what became of a batch cannot be told; so it is not known to be delivered.
        """
        ...
