"""Many batches through a server that keeps failing, into slow sinks and fast ones, for minutes.

    python -m tests.durability.soak --minutes 10

Two hundred batches end one by one over the time given, on an emulator behind a fault proxy. One answer in twenty is
refused, never comes or is a page, and each way in which results can break strikes one download in twenty. Each batch
goes to a file, to a callback that takes its time and to one that does not. Every minute the memory, the descriptors and
the tasks of this process are printed; in the end every record must be there once, and none of the three have grown.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.transport import Timeouts
from streamer.emulator.running import running as emulator
from streamer.faults.running import running as faults
from streamer.results.record import Record
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.callback import CallbackSink
from streamer.sinks.file import FileSink
from tests.cli.command import raw_results

FAULTS = (
    "any:status=529,p=0.02",
    "any:fin@head,p=0.02",
    "results:fin@random,p=0.05",
    "results:rst@random,p=0.05",
    "results:stall@random,p=0.05",
    "results:gzip_cut@50%,p=0.05",
    "results:reorder,p=0.05",
    "any:body=html,p=0.01",
)
RECORDS = 300  # of a batch
RECORD_BYTES = 3000
PAUSE = 0.05  # seconds that the slow callback takes for a record
SILENCE = 2.0  # seconds: a stall is noticed soon


@dataclass(frozen=True)
class Figures:
    """What this process uses."""

    minute: float
    rss: int  # bytes
    descriptors: int
    tasks: int
    done: int  # batches

    @classmethod
    def now(cls, minute: float, done: int) -> Figures:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        descriptors = sum(1 for _ in Path("/proc/self/fd").iterdir())
        return cls(minute, pages * os.sysconf("SC_PAGESIZE"), descriptors, len(asyncio.all_tasks()), done)

    def __str__(self) -> str:
        return (
            f"minute {self.minute:4.1f}: {self.rss / 1e6:6.1f} MB, {self.descriptors} descriptors, "
            f"{self.tasks} tasks, {self.done} batches done"
        )


async def soak(
    base_url: str, ids: list[str], folder: Path, seconds: float, fast: TextIO, slow: TextIO
) -> tuple[list[Figures], bool]:
    """Run, and look at this process each minute, or ten times in a shorter run."""

    def quickly(record: Record) -> None:
        fast.write(f"{record.batch_id} {record.custom_id}\n")

    async def slowly(record: Record) -> None:
        await asyncio.sleep(PAUSE)
        slow.write(f"{record.batch_id} {record.custom_id}\n")

    began = time.monotonic()
    figures = [Figures.now(0.0, 0)]

    async def look() -> None:
        while True:
            await asyncio.sleep(min(60.0, seconds / 10))
            done = sum(path.suffix == ".jsonl" for path in folder.iterdir())
            figures.append(Figures.now((time.monotonic() - began) / 60, done))
            print(figures[-1], flush=True)  # noqa: T201 - a command

    sinks = [FileSink(folder / "{batch_id}.jsonl"), CallbackSink(quickly), CallbackSink(slowly, concurrency=64)]
    async with Client(
        api_key="test-key", base_url=base_url, options=ClientOptions(timeouts=Timeouts(silence=SILENCE))
    ) as client:
        watcher = asyncio.create_task(look())
        try:
            report = await run(client, ids, sinks, RunOptions(poll_interval=1.0, concurrency=8))
        finally:
            watcher.cancel()
    figures.append(Figures.now((time.monotonic() - began) / 60, len(report.batches)))
    print(f"after the run: {figures[-1]}")  # noqa: T201
    for batch in report.batches:
        if not batch.complete:
            print(batch.batch_id, batch.error)  # noqa: T201
    downloads = sum(batch.downloads for batch in report.batches)
    print(f"{report.requests} requests, {report.retries} repeated, {downloads} downloads")  # noqa: T201
    return figures, report.complete


def main(argv: Sequence[str] | None = None) -> int:
    """Soak; 0 when everything came and nothing grew."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    seconds = args.minutes * 60
    with (
        emulator(
            fill=args.batches,
            duration=seconds * 0.45,
            duration_spread=1.0,
            records=RECORDS,
            record_bytes=RECORD_BYTES,
            retry_after=0,
            seed=args.seed,
        ) as server,
        faults(server.base_url, *FAULTS, seed=args.seed) as proxy,
        tempfile.TemporaryDirectory(prefix="streamer-soak-") as name,
    ):
        folder = Path(name)
        ids = _ids(server.base_url)
        # What the callbacks were given is kept in files: in memory it would grow with the records.
        taken = [folder / "fast", folder / "slow"]
        with taken[0].open("w") as fast, taken[1].open("w") as slow:
            figures, complete = asyncio.run(soak(proxy.base_url, ids, folder, seconds, fast, slow))
        lines = [path.read_text().splitlines() for path in taken]
        wrong = [
            batch_id
            for batch_id in ids
            if sorted((folder / f"{batch_id}.jsonl").read_bytes().splitlines())
            != sorted(raw_results(server, batch_id).splitlines())
        ]
        struck = proxy.stats()["faults"]
    once = all(len(given) == len(set(given)) == args.batches * RECORDS for given in lines)
    before, first, *_, last, after = figures
    # Whatever is under way comes and goes; what stays when all is done, and memory from the first minute on, must not.
    grew = after.tasks > before.tasks or after.descriptors > before.descriptors + 4 or last.rss > first.rss + 2**24
    print(f"faults that struck: {struck}")  # noqa: T201
    print(f"complete {complete}, files that differ {len(wrong)}, each record once {once}, grew {grew}")  # noqa: T201
    return 0 if complete and once and not wrong and not grew else 1


def _ids(base_url: str) -> list[str]:
    async def listed() -> list[str]:
        async with Client(api_key="test-key", base_url=base_url) as client:
            return [batch.id async for batch in client.list()]

    return asyncio.run(listed())


if __name__ == "__main__":
    sys.exit(main())
