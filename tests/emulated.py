"""An emulator whose time passes when ours does: a test that waits an hour takes no time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.emulator.running import RunningEmulator, running
from tests.clock import FakeClock
from tests.leftovers import nothing_left


class SharedClock(FakeClock):
    """A clock whose sleeps move the emulator's clock as well."""

    def __init__(self, emulator: RunningEmulator) -> None:
        super().__init__(datetime.now(UTC))
        self._emulator = emulator

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            await asyncio.to_thread(self._emulator.advance, seconds)
        await super().sleep(seconds)


@asynccontextmanager
async def emulated(**switches: Any) -> AsyncIterator[tuple[RunningEmulator, Client, SharedClock]]:
    """An emulator, a client of it, and the clock that both share."""
    with running(**switches) as emulator:
        clock = SharedClock(emulator)
        async with Client(
            api_key="test-key",
            base_url=emulator.base_url,
            clock=clock,
            options=ClientOptions(requests_per_minute=100_000),
        ) as api:
            yield emulator, api, clock


@asynccontextmanager
async def tidily_emulated(**switches: Any) -> AsyncIterator[tuple[Client, SharedClock]]:
    """A client of an emulator, of which nothing is left in the end, and the clock that both share."""
    options = ClientOptions(requests_per_minute=100_000)
    async with emulated(**switches) as (emulator, _, clock), nothing_left():
        async with Client(api_key="test-key", base_url=emulator.base_url, clock=clock, options=options) as client:
            yield client, clock


def asked(emulator: RunningEmulator) -> int:
    """How many requests about the state of batches the emulator has answered."""
    requests = emulator.stats()["requests"]
    return int(requests.get("list", 0) + requests.get("retrieve", 0))
