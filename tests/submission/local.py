"""An emulator in the test's own loop, whose time passes when ours does: it starts in no time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.transport import Timeouts
from streamer.emulator.server import EMULATOR, application
from streamer.emulator.server import Emulator as Served
from streamer.emulator.settings import Settings
from streamer.faults.proxy import serving as faults_before
from streamer.faults.script import Script
from tests.clock import FakeClock

QUICK = Timeouts(answer=0.3, silence=0.3)  # for answers that never come


class LocalEmulator:
    """An emulator that listens."""

    def __init__(self, served: Served, base_url: str) -> None:
        self._served = served
        self.base_url = base_url

    def stats(self) -> dict[str, Any]:
        return self._served.stats.as_object()

    def advance(self, seconds: float) -> None:
        self._served.clock.advance(seconds)


class LocalClock(FakeClock):
    """A clock whose sleeps move the emulator's clock as well."""

    def __init__(self, emulator: LocalEmulator) -> None:
        super().__init__(datetime.now(UTC))
        self._emulator = emulator

    async def sleep(self, seconds: float) -> None:
        self._emulator.advance(max(0.0, seconds))
        await super().sleep(seconds)


@asynccontextmanager
async def local(**switches: Any) -> AsyncIterator[tuple[LocalEmulator, Client, LocalClock]]:
    """An emulator behind its faults, an impatient client of it, and the clock that both share."""
    settings = Settings(**switches)
    async with AsyncExitStack() as stack:
        app = application(replace(settings, fault=()))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, lingering_time=0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base_url = "http://{}:{}".format(*runner.addresses[0][:2])
        if settings.fault:
            script = Script(settings.fault, settings.fault_seed)
            base_url = await stack.enter_async_context(faults_before(base_url, script, host="127.0.0.1", port=0))
        emulator = LocalEmulator(app[EMULATOR], base_url)
        clock = LocalClock(emulator)
        client = Client(
            api_key="test-key",
            base_url=base_url,
            clock=clock,
            options=ClientOptions(timeouts=QUICK, requests_per_minute=100_000),
        )
        async with client:
            yield emulator, client, clock
        await asyncio.sleep(0)


def tasks() -> set[asyncio.Task[Any]]:
    """All tasks but those of the emulator and the faults before it."""
    return {task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task) and "faults" not in repr(task)}
