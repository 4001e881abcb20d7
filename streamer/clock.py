"""Time as an argument: everything that waits takes a `Clock`, so tests wait for nothing."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never jumps, whatever happens to the wall clock."""
        ...

    def now(self) -> datetime:
        """The wall clock, aware and in UTC; only for comparing with the server's timestamps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`; cancelling it ends the wait at once."""
        ...


class SystemClock:
    """The machine's own time."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def now(self) -> datetime:
        """The wall clock in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)
