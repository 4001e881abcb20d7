"""What surrounds a download: batches whose end is odd, clocks that jump, sinks that fail beside others."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from streamer.faults.proxy import serving
from streamer.faults.script import Script
from streamer.report import Outcome
from streamer.results.record import Record
from streamer.runs.run import run
from streamer.sinks.callback import CallbackSink
from streamer.sinks.checkpoint import CheckpointedSink
from streamer.sinks.file import FileSink
from tests.clock import FakeClock
from tests.durability.harness import Ran, Truth, client_of, counted, through


async def test_a_results_url_that_comes_late_is_waited_for(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "ended:null_results_url,n=4")
    ran.assert_exact()
    assert ran.struck == 4


async def test_a_results_url_that_never_comes_is_told_in_the_end(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "ended:null_results_url")
    assert {batch.outcome for batch in ran.batches.values()} == {Outcome.FAILED}
    assert all("results_url" in error for error in ran.errors)


class JumpingClock(FakeClock):
    """A wall clock that somebody sets an hour forward and back again and again; time itself goes on."""

    hours = count()

    def now(self) -> datetime:
        return super().now() + timedelta(hours=(1, -1)[next(self.hours) % 2])


async def test_a_wall_clock_that_jumps_changes_nothing(truth: Truth, tmp_path: Path) -> None:
    clock = JumpingClock()
    script = Script(["any:status=429;retry-after=5,n=3", "fin@50%,n=2", "any:status=500,p=0.2"])
    async with serving(truth.emulator.base_url, script) as base_url, client_of(base_url, clock) as client:
        report = await run(client, truth.ids, FileSink(tmp_path / "{batch_id}.jsonl"), clock=clock)
        Ran(truth, tmp_path, report, await counted(base_url), clock).assert_exact()
    assert 5 <= max(clock.sleeps) <= 61


async def test_one_sink_fails_again_and_again_and_the_other_is_not_harmed(truth: Truth, tmp_path: Path) -> None:
    """Nothing is final before both have all of it; the one that did not fail gets nothing again."""
    taken: list[str] = []
    calls = count(1)

    def flaky(record: Record) -> None:
        if next(calls) % 130 == 0:
            raise ConnectionError("by design")
        taken.append(f"{record.batch_id} {record.custom_id}")

    files = tmp_path / "files"
    runs = 0
    while True:
        runs += 1
        assert runs < 20
        journal = CheckpointedSink(CallbackSink(flaky), tmp_path / "journal", name="flaky")
        sinks = [FileSink(files / "{batch_id}.jsonl"), journal]
        ran = await through(truth, files, sinks=sinks, concurrency=1)
        for report in ran.report.batches:
            if not report.complete:
                assert "ConnectionError: by design" in report.error
                assert not (files / f"{report.batch_id}.jsonl").exists()
        if ran.report.complete:
            break
    ran.assert_exact()
    assert runs > 1
    assert len(set(taken)) == 300
