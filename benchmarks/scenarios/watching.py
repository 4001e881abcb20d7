"""What watching costs: requests and CPU of one round over 10 to 10,000 batches in progress, on the emulator."""

from __future__ import annotations

from benchmarks.contenders import Entrant
from benchmarks.job import Job, Kind
from benchmarks.measure import Heat
from benchmarks.results import Row
from benchmarks.scenarios import Stage
from streamer.emulator.running import running

COUNTS = (10, 100, 1_000, 10_000)
WATCH = Entrant(name="streamer: watch", kind=Kind.DROP, target="benchmarks.contenders.watching:rounds", ours=True)
HOURS_IN_PROGRESS = 12  # none of them ends while we look


def run(stage: Stage) -> None:
    """The mean of a few rounds, with every batch known by id beforehand and asked for in every round."""
    for count in COUNTS:
        with running(fill=count, records=1, duration=HOURS_IN_PROGRESS * 3600.0, duration_spread=0.0) as emulator:
            job = Job(base_url=emulator.base_url, results_url="", batch_ids=[], records=count, size=1)
            row = Row(scenario="watching", case=f"{count:,} batches", at=count, contender=WATCH.name)
            stage.bench.run([Heat(row=row, entrant=WATCH, job=job)], rounds=1, seconds=0.0)
