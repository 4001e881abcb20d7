"""A clock that waits for nothing and remembers how long it was asked to wait."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Time that stands still until somebody sleeps; a sleep takes its whole length at once.

    `sleeps` lists the seconds of every sleep, in order. Every sleep yields to the loop once, so that other
    tasks get their turn as they do with the real clock. `advance` moves the time without a sleep.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.start = start
        self.sleeps: list[float] = []
        self._elapsed = 0.0

    def monotonic(self) -> float:
        return self._elapsed

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self._elapsed)

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self._elapsed += max(0.0, seconds)
        await asyncio.sleep(0)
