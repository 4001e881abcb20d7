"""How fast, by record size, and beside whom."""

from __future__ import annotations

from benchmarks.contenders import COPY, CURL_FILE, EVERYONE, HEADS, TYPED, Entrant
from benchmarks.measure import Heat
from benchmarks.results import Row
from benchmarks.scenarios import Stage

SIZES = {"500 B": (500, 100_000), "2 KB": (2_000, 100_000), "20 KB": (20_000, 16_000), "1 MB": (1_000_000, 320)}
SLOW_SHARE = 20  # slow contenders get a batch of a twentieth of the records
QUICK = (COPY, HEADS, TYPED, CURL_FILE)  # for sizes other than 2 KB, where a quick run asks only for the shape


def run(stage: Stage) -> None:
    """Everyone, on bodies of records of 500 B to 1 MB, over HTTP."""
    for case, (record_bytes, full) in SIZES.items():
        records = stage.records(full)
        whole = stage.bodies.make(f"{record_bytes}whole", records=records, record_bytes=record_bytes)
        part = stage.bodies.make(f"{record_bytes}part", records=records // SLOW_SHARE, record_bytes=record_bytes)
        entrants: list[Entrant] = [*EVERYONE, *stage.extra]
        if stage.quick and case != "2 KB":
            entrants = list(QUICK)
        stage.bench.run(
            [
                Heat(
                    row=Row(
                        scenario="throughput", case=case, at=record_bytes, contender=entrant.name, kind=entrant.kind
                    ),
                    entrant=entrant,
                    job=stage.bodies.job(part if entrant.slow else whole),
                )
                for entrant in entrants
            ]
        )
