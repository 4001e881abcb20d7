"""The emulator's time: the wall clock, sped up and moved forward at will."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000  # all times of the emulator are whole microseconds, as precise as the API writes them
DAY = 86_400 * SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(seconds: float) -> int:
    """Seconds in the emulator's unit."""
    return round(seconds * SECOND)


def written(moment: int) -> str:
    """A time as the API writes it.

    >>> written(1_736_661_554_154_311)
    '2025-01-12T05:59:14.154311+00:00'
    """
    return (_EPOCH + timedelta(microseconds=moment)).isoformat(timespec="microseconds")


class EmulatorClock:
    """Starts at the wall clock's time, runs `speed` times as fast, and jumps when it is told to."""

    def __init__(
        self,
        speed: float = 1.0,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._speed = speed
        self._monotonic = monotonic
        self._origin = monotonic()
        self._start = microseconds(wall())
        self._advanced = 0

    def now(self) -> int:
        """Microseconds since 1970."""
        return self._start + microseconds((self._monotonic() - self._origin) * self._speed) + self._advanced

    def advance(self, seconds: float) -> None:
        """Move forward at once, by seconds of this clock; there is no way back."""
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"the clock cannot move by {seconds} seconds: only forward")
        self._advanced += microseconds(seconds)
