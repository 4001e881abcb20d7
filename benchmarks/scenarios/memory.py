"""Peak memory against the size of the results; the emulator makes them while it sends, so nothing is stored twice."""

from __future__ import annotations

import asyncio

from benchmarks.contenders import COPY, HEADS, OFFICIAL_ASYNC
from benchmarks.job import Job
from benchmarks.measure import Heat
from benchmarks.results import Row
from benchmarks.scenarios import Stage
from streamer import Batch, Client
from streamer.emulator.running import RunningEmulator, running

RECORDS = 100_000  # as many as a batch may have, so that the custom_ids weigh the same at every size
SIZES = (10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000)
OTHERS_UP_TO = 100_000_000  # bytes; the official client would take minutes for more


def run(stage: Stage) -> None:
    """One stream of 100,000 records, 10 MB to 10 GB in all; then the same sizes in records of 100 KB."""
    sizes = SIZES[:3] if stage.quick else SIZES
    for case, record_bytes in (("100,000 records", None), ("records of 100 KB", 100_000)):
        for size in sizes:
            _measure(stage, case, size, record_bytes)
        if stage.quick:
            return


def _measure(stage: Stage, case: str, size: int, record_bytes: int | None) -> None:
    records = RECORDS if record_bytes is None else size // record_bytes
    with running(
        fill_ended=1, records=records, record_bytes=size // records, mix="succeeded=1", speed=1, fill_days=1
    ) as emulator:
        job = asyncio.run(_job(emulator, records, size))
        entrants = [COPY, HEADS]
        if record_bytes is None and size <= OTHERS_UP_TO and not stage.quick:
            entrants.append(OFFICIAL_ASYNC)
        stage.bench.run(
            [
                Heat(
                    row=Row(
                        scenario="memory",
                        case=f"{case}, {size / 1e6:,.0f} MB",
                        at=size / 1e6,
                        contender=entrant.name,
                        kind=entrant.kind,
                    ),
                    entrant=entrant,
                    job=job,
                )
                for entrant in entrants
            ],
            rounds=1,
            seconds=0.0,
        )


async def _job(emulator: RunningEmulator, records: int, size: int) -> Job:
    async with Client(api_key=emulator.api_key, base_url=emulator.base_url) as client:
        batches: list[Batch] = [batch async for batch in client.list()]
    return Job(
        base_url=emulator.base_url,
        results_url=batches[0].results_url or "",
        batch_ids=[batches[0].id],
        records=records,
        size=size,
    )
