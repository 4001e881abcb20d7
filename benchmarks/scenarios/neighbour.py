"""How late another coroutine on the same loop is woken while one stream runs at full speed."""

from __future__ import annotations

from benchmarks.contenders import AIOHTTP_DROP, AIOHTTP_LINES, COPY, HEADS, OFFICIAL_ASYNC, TYPED, Entrant
from benchmarks.job import Kind
from benchmarks.measure import Heat
from benchmarks.results import Row
from benchmarks.scenarios import Stage

IDLE = Entrant(name="nothing at all", kind=Kind.DROP, target="benchmarks.contenders.idle:idle")


def run(stage: Stage) -> None:
    """With records of 2 KB and of 1 MB; beside an idle loop, which shows what the machine itself adds."""
    for case, record_bytes, full in (("2 KB", 2_000, 100_000), ("1 MB", 1_000_000, 200)):
        records = stage.records(full)
        body = stage.bodies.make(f"beside{record_bytes}", records=records, record_bytes=record_bytes)
        part = stage.bodies.make(f"besidepart{record_bytes}", records=records // 10, record_bytes=record_bytes)
        entrants = [IDLE, COPY, HEADS, TYPED, AIOHTTP_DROP]
        entrants += [] if stage.quick else [AIOHTTP_LINES, OFFICIAL_ASYNC]
        stage.bench.run(
            [
                Heat(
                    row=Row(
                        scenario="neighbour", case=case, at=record_bytes, contender=entrant.name, kind=entrant.kind
                    ),
                    entrant=entrant,
                    job=stage.bodies.job(part if entrant.slow else body),
                    neighbour=True,
                )
                for entrant in entrants
            ]
        )
