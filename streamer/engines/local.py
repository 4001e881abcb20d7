"""Deliveries on the event loop that the run is on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from streamer.api.types import Batch
from streamer.engines.engine import Deliver, Done
from streamer.tasks import end_if_asked, together


@dataclass(frozen=True)
class LocalEngine:
    """So many deliveries at once, each in a task.

    Attributes:
        concurrency: how many.
    """

    concurrency: int

    async def place(self, ended: asyncio.Queue[Batch | None], deliver: Deliver, done: Done) -> None:
        """Have each batch delivered: see `Engine`."""

        async def serve() -> None:
            while (batch := await ended.get()) is not None:
                done(await deliver(batch))
                end_if_asked()
            ended.put_nowait(None)  # for the next task

        await together("streamer deliver", [serve() for _ in range(self.concurrency)])
