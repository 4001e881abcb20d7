"""An event loop that does nothing: what the machine itself adds to a neighbour's delay."""

from __future__ import annotations

import asyncio

from benchmarks.job import Job, Stopwatch

SECONDS = 1.0


async def idle(job: Job, watch: Stopwatch) -> None:
    """Wait."""
    await asyncio.sleep(SECONDS)
