"""Many batches at once: the same bytes in 1 to 1,000 downloads, all under way together."""

from __future__ import annotations

from benchmarks.contenders import COPY, HEADS
from benchmarks.measure import Heat
from benchmarks.results import Row
from benchmarks.scenarios import Stage

RECORDS = 200_000  # of 2 KB, in all batches together: 400 MB
RECORD_BYTES = 2_000
COUNTS = (2, 8, 100, 1_000)
QUICK_COUNTS = (8, 100)


def run(stage: Stage) -> None:
    """Copying, and ids and types; as many downloads at once as there are batches."""
    for count in QUICK_COUNTS if stage.quick else COUNTS:
        body = stage.bodies.make(f"many{count}", records=RECORDS // count, record_bytes=RECORD_BYTES, batches=count)
        stage.bench.run(
            [
                Heat(
                    row=Row(
                        scenario="many", case=f"{count:,} at once", at=count, contender=entrant.name, kind=entrant.kind
                    ),
                    entrant=entrant,
                    job=stage.bodies.job(body, concurrency=count),
                )
                for entrant in (COPY, HEADS)
            ]
        )
