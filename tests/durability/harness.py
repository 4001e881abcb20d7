"""Runs through the fault proxy, and the oracle they end with: what is there equals what the server has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import RetryPolicy
from streamer.api.transport import Timeouts
from streamer.emulator.running import RunningEmulator, running
from streamer.faults.proxy import STATS_PATH, serving
from streamer.faults.script import Script
from streamer.report import BatchReport, RunReport
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.base import Sink
from streamer.sinks.file import FileSink
from tests.cli.command import listed, raw_results
from tests.clock import FakeClock

IMPATIENT = Timeouts(silence=0.3, answer=2.0)  # seconds: for servers that fall silent
FEW = RetryPolicy(attempts=4)


@dataclass(frozen=True)
class Truth:
    """A workspace of ended batches and what its results really are."""

    emulator: RunningEmulator
    bodies: dict[str, bytes]  # by batch, each record with its newline

    @property
    def ids(self) -> list[str]:
        return list(self.bodies)


@contextmanager
def workspace(**switches: Any) -> Iterator[Truth]:
    """An emulator of ended batches; the arguments are its settings."""
    with running(**{"retry_after": 0, **switches}) as emulator:
        yield Truth(emulator, {name: whole(raw_results(emulator, name)) for name in listed(emulator)})


def whole(body: bytes) -> bytes:
    """A body as a file has it: the last record ends in a newline too."""
    return body + b"\n" if body else b""


@dataclass
class Ran:
    """A run through the proxy, and what it left."""

    truth: Truth
    folder: Path
    report: RunReport
    stats: dict[str, Any]
    clock: FakeClock

    @property
    def batches(self) -> dict[str, BatchReport]:
        return {batch.batch_id: batch for batch in self.report.batches}

    @property
    def errors(self) -> list[str]:
        return [batch.error for batch in self.report.batches if not batch.complete]

    @property
    def struck(self) -> int:
        """How often faults struck."""
        return sum(self.stats["faults"].values())

    def final(self, batch_id: str) -> bytes:
        return (self.folder / f"{batch_id}.jsonl").read_bytes()

    def kept(self, batch_id: str) -> bytes:
        """What there is of a batch that is not complete."""
        assert not (self.folder / f"{batch_id}.jsonl").exists()
        return (self.folder / f"{batch_id}.jsonl.part").read_bytes()

    def assert_exact(self) -> None:
        """Every batch is there, byte for byte, and nothing else is."""
        assert self.errors == []
        for batch_id, body in self.truth.bodies.items():
            assert self.final(batch_id) == body
        assert len(list(self.folder.iterdir())) == len(self.truth.bodies)

    def assert_same_records(self) -> None:
        """Every record of every batch is there once, in whatever order."""
        assert self.errors == []
        for batch_id, body in self.truth.bodies.items():
            assert sorted(self.final(batch_id).splitlines()) == sorted(body.splitlines())


@asynccontextmanager
async def client_of(base_url: str, clock: FakeClock | None = None, **options: Any) -> AsyncIterator[Client]:
    """A client that waits for nothing but the network."""
    options = {"retry": FEW, "requests_per_minute": 100_000, **options}
    async with Client(
        api_key="test-key",
        base_url=base_url,
        options=ClientOptions(**options),
        clock=clock or FakeClock(),
        random=Random(1),
    ) as client:
        yield client


async def through(
    truth: Truth,
    folder: Path,
    *scripts: str,
    seed: int = 0,
    sinks: Sequence[Sink] | None = None,
    client: dict[str, Any] | None = None,
    **options: Any,
) -> Ran:
    """Deliver the workspace into files in `folder` through a proxy that does what the scripts say.

    Args:
        truth: the workspace.
        folder: where the files go; a run that is repeated goes on there.
        scripts: faults, in the grammar of the fault kit.
        seed: of what is random in them.
        sinks: instead of files.
        client: options of the client.
        options: of the run.
    """
    clock = FakeClock()
    sinks = sinks or [FileSink(folder / "{batch_id}.jsonl")]
    async with serving(truth.emulator.base_url, Script(scripts, seed)) as base_url:
        async with client_of(base_url, clock, **(client or {})) as api:
            report = await run(api, truth.ids, sinks, RunOptions(**options), clock=clock, random=Random(1))
        return Ran(truth, folder, report, await counted(base_url), clock)


async def counted(base_url: str) -> dict[str, Any]:
    """What a proxy has counted."""
    async with aiohttp.ClientSession() as session, session.get(base_url + STATS_PATH) as answer:
        found: dict[str, Any] = await answer.json(content_type=None)
    return found
