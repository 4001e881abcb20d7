"""How fast over HTTPS, and when the transfer is gzipped."""

from __future__ import annotations

from benchmarks.contenders import (
    AIOHTTP_DROP,
    COPY,
    CURL_FILE,
    CURL_NULL,
    HEADS,
    HTTPX_LINES,
    OFFICIAL,
    OFFICIAL_ASYNC,
    TYPED,
    Entrant,
)
from benchmarks.measure import Heat
from benchmarks.results import Row
from benchmarks.scenarios import Stage

FAST: tuple[Entrant, ...] = (CURL_NULL, CURL_FILE, AIOHTTP_DROP, COPY, HEADS, TYPED)
OTHERS: tuple[Entrant, ...] = (HTTPX_LINES, OFFICIAL, OFFICIAL_ASYNC)
RECORD_BYTES = 2_000


def run(stage: Stage) -> None:
    """Records of 2 KB over HTTPS, gzipped, and both; sizes and rates count decoded bytes."""
    records = stage.records(100_000)
    whole = stage.bodies.make("packed", records=records, record_bytes=RECORD_BYTES, gzip=True)
    part = stage.bodies.make("packedpart", records=records // 20, record_bytes=RECORD_BYTES, gzip=True)
    ways = {"https": ("https", "identity"), "http, gzip": ("http", "gzip"), "https, gzip": ("https", "gzip")}
    entrants = [*FAST, *(() if stage.quick else OTHERS), *stage.extra]
    for at, (case, (scheme, coding)) in enumerate(ways.items()):
        if stage.quick and case == "https, gzip":
            continue
        stage.bench.run(
            [
                Heat(
                    row=Row(scenario="transports", case=case, at=at, contender=entrant.name, kind=entrant.kind),
                    entrant=entrant,
                    job=stage.bodies.job(part if entrant.slow else whole, scheme=scheme, coding=coding),
                )
                for entrant in entrants
            ]
        )
