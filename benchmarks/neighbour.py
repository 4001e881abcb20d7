"""Another coroutine on the same event loop, which notes how late it is woken."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import perf_counter
from types import TracebackType
from typing import Self

NAP = 0.001  # seconds


class Neighbour:
    """Sleeps for a millisecond again and again; how much longer that takes is the loop's delay."""

    def __init__(self) -> None:
        self._delays: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._live())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _live(self) -> None:
        while True:
            begun = perf_counter()
            await asyncio.sleep(NAP)
            self._delays.append(perf_counter() - begun - NAP)

    def figures(self) -> dict[str, float]:
        """The delays in milliseconds."""
        ordered = sorted(self._delays)
        if not ordered:
            return {}
        return {
            "delay p50 ms": ordered[len(ordered) // 2] * 1e3,
            "delay p99 ms": ordered[len(ordered) * 99 // 100] * 1e3,
            "delay max ms": ordered[-1] * 1e3,
        }
