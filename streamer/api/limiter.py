"""How fast requests leave: one token bucket that everything in a client shares."""

from __future__ import annotations

import asyncio

from streamer.api.onloop import OnLoop
from streamer.clock import Clock
from streamer.errors import ConfigurationError

# The API counts with a token bucket that holds a minute's worth. Half of that may go at once, so that a start with
# many batches is quick and other programs that use the same key still find room.
BURST_SECONDS = 30.0
ROUNDING = 1e-6  # tokens; without it a wait too short to move the clock could be asked for again and again


class RateLimiter:
    """Lets `requests_per_minute` requests through, first come, first served.

    Waiting costs one place in a queue; only the first in it sleeps. A caller that is cancelled leaves the queue
    and takes no token.

    Raises:
        ConfigurationError: `requests_per_minute` is less than 1.
    """

    def __init__(self, requests_per_minute: int, clock: Clock) -> None:
        self._clock = clock
        self._rate = requests_per_minute / 60.0  # tokens per second
        self._burst = max(1.0, self._rate * BURST_SECONDS)  # tokens
        self._tokens = self._burst
        self._counted_at = clock.monotonic()  # up to when `_tokens` is right; in the future during a pause
        self._turn = OnLoop(asyncio.Lock)  # fair: it wakes those who wait in the order they came
        if requests_per_minute < 1:  # last, as a crash report prints an object whose constructor refused
            raise ConfigurationError(f"requests_per_minute must be at least 1, not {requests_per_minute}")

    def __repr__(self) -> str:
        return f"<RateLimiter {self._rate * 60:g} requests a minute, {self._tokens:.1f} at once now>"

    async def acquire(self) -> None:
        """Wait until one more request may be sent."""
        async with self._turn.get():
            while (wait := self._wait()) > 0:
                await self._clock.sleep(wait)
            self._tokens -= 1.0

    def pause(self, seconds: float) -> None:
        """Let nobody through for `seconds`, nor a burst right after; a shorter pause does not end a longer one.

        For a 429 that says when to come back: it is meant for the key, so for all who use it.
        """
        now = self._clock.monotonic()
        self._tokens = 0.0
        # The token that lets the first one through is whole the moment the pause is over.
        self._counted_at = max(self._counted_at, now, now + seconds - 1.0 / self._rate)

    def _wait(self) -> float:
        """Seconds until there is a whole token; 0 or less when there is one now."""
        now = self._clock.monotonic()
        if now > self._counted_at:
            self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate)
            self._counted_at = now
        if self._tokens >= 1.0 - ROUNDING:
            return 0.0
        return self._counted_at - now + (1.0 - self._tokens) / self._rate
