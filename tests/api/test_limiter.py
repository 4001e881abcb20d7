"""How fast requests leave."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.api.limiter import RateLimiter
from streamer.errors import ConfigurationError
from tests.clock import FakeClock


async def passed(limiter: RateLimiter, clock: FakeClock, number: int) -> list[float]:
    """When each of `number` callers that came together was let through."""
    times: list[float] = []

    async def one() -> None:
        await limiter.acquire()
        times.append(clock.monotonic())

    async with asyncio.TaskGroup() as group:
        for _ in range(number):
            group.create_task(one())
    return times


async def test_half_a_minutes_worth_goes_at_once_and_the_rest_at_the_rate() -> None:
    clock = FakeClock()
    times = await passed(RateLimiter(60, clock), clock, 40)
    assert times[:30] == [0.0] * 30
    assert times[30:] == pytest.approx([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10])


@given(rate=st.integers(1, 6000), number=st.integers(1, 200))
def test_no_stretch_of_time_sees_more_than_burst_and_rate(rate: int, number: int) -> None:
    clock = FakeClock()
    times = asyncio.run(passed(RateLimiter(rate, clock), clock, number))
    burst = max(1.0, rate / 2)
    for index, time in enumerate(times):
        assert index + 1 <= burst + time * rate / 60 + 0.001


async def test_first_come_first_served_and_only_the_first_sleeps() -> None:
    clock = FakeClock()
    limiter = RateLimiter(1, clock)
    order: list[int] = []

    async def one(number: int) -> None:
        await limiter.acquire()
        order.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(one(number))
    assert order == list(range(20))
    assert clock.sleeps == pytest.approx([60.0] * 19)


async def test_a_pause_holds_everyone_and_no_burst_follows() -> None:
    clock = FakeClock()
    limiter = RateLimiter(60, clock)
    limiter.pause(20)
    limiter.pause(5)
    times = await passed(limiter, clock, 3)
    assert times == pytest.approx([20, 21, 22])


async def test_a_pause_reaches_those_who_wait_already() -> None:
    clock = FakeClock()
    limiter = RateLimiter(2, clock)
    await limiter.acquire()
    waiter = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)
    assert len(clock.sleeps) == 1
    limiter.pause(100)
    await waiter
    assert clock.monotonic() >= 100


async def test_a_pause_after_an_idle_hour_starts_now() -> None:
    clock = FakeClock()
    limiter = RateLimiter(1000, clock)
    clock.advance(3600)
    limiter.pause(10)
    await limiter.acquire()
    assert clock.monotonic() == pytest.approx(3610)


async def test_who_is_cancelled_takes_no_token_and_holds_nobody_up() -> None:
    clock = FakeClock()
    limiter = RateLimiter(2, clock)
    await limiter.acquire()
    waiters = [asyncio.create_task(limiter.acquire()) for _ in range(100)]
    await asyncio.sleep(0)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    assert all(waiter.cancelled() for waiter in waiters)
    before = clock.monotonic()
    await limiter.acquire()
    assert clock.monotonic() - before <= 30.0


def test_a_rate_is_at_least_one_a_minute() -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        RateLimiter(0, FakeClock())
