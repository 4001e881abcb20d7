"""Watching alone: a few rounds over many batches of which none ends."""

from __future__ import annotations

from statistics import median
from time import perf_counter

from benchmarks.job import Job, Stopwatch
from benchmarks.usage import cpu_seconds
from streamer import Client
from streamer.clock import SystemClock
from streamer.watching.watch import watch

ROUNDS = 5
LEAP = 3600.0  # seconds, so that every batch is due again


class _EnoughError(Exception):
    """All rounds were watched."""


class _LeapingClock(SystemClock):
    """Time that leaps whenever a round is over, instead of waiting for the next one; notes what each round cost."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._leapt = 0.0
        self.rounds: list[tuple[float, float, float]] = []  # requests, CPU seconds, seconds
        self._before = self._now()

    def monotonic(self) -> float:
        return super().monotonic() + self._leapt

    async def sleep(self, seconds: float) -> None:
        now = self._now()
        self.rounds.append((now[0] - self._before[0], now[1] - self._before[1], now[2] - self._before[2]))
        if len(self.rounds) == ROUNDS:
            raise _EnoughError
        self._leapt += LEAP
        self._before = self._now()

    def _now(self) -> tuple[float, float, float]:
        return self._client.requests, cpu_seconds(), perf_counter()


async def rounds(job: Job, watch_: Stopwatch) -> int:
    """The median of the rounds after the first, which opens connections."""
    async with Client(api_key="benchmark", base_url=job.base_url) as client:
        batch_ids = [batch.id async for batch in client.list()]
        clock = _LeapingClock(client)
        try:
            async for outcome in watch(client, batch_ids, clock=clock):
                raise SystemExit(f"{outcome} although every batch is in progress")
        except _EnoughError:
            pass
    requests, cpu, seconds = zip(*clock.rounds[1:], strict=True)
    watch_.noted = {"requests a round": median(requests), "CPU s a round": median(cpu), "s a round": median(seconds)}
    return len(batch_ids)
