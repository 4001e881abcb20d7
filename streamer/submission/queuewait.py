"""The waiting while the workspace takes no more batches."""

from __future__ import annotations

import logging
from random import Random

from streamer.clock import Clock
from streamer.errors import StreamerError
from streamer.submission.refusal import QUEUE_PATIENCE, TOLD_EVERY, pause

log = logging.getLogger("streamer.submission")


class QueueWait:
    """Waits after each refusal of one create, longer and longer, and tells of it once in a while."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._refusals = 0
        self._began = 0.0  # with the first refusal
        self._told: float | None = None

    async def wait(self, error: StreamerError) -> bool:
        """Wait after a refusal; False, at once, when this has lasted longer than any batch can stay in a queue."""
        now = self._clock.monotonic()
        self._refusals += 1
        if self._refusals == 1:
            self._began = now
        if now - self._began > QUEUE_PATIENCE:
            return False
        if self._told is None or now - self._told >= TOLD_EVERY:
            self._told = now
            log.warning("no room for another batch yet, waiting: %s", error, extra={"action": "queue_full"})
        await self._clock.sleep(pause(self._refusals, self._random))
        return True
