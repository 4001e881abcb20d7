"""The benchmarks run, count right, and notice what has become worse."""

import shutil
from pathlib import Path

import msgspec
import pytest

from benchmarks.bodies import Bodies
from benchmarks.compare import regressions
from benchmarks.contenders import COPY, CURL_FILE, HEADS, TYPED, Entrant
from benchmarks.job import Job, Kind, Stopwatch
from benchmarks.measure import Bench, Heat
from benchmarks.results import Results, Row
from benchmarks.server import serving
from benchmarks.table import tables
from benchmarks.targets import targets

SERVERS = [None, *filter(None, [shutil.which("nginx")])]  # None is the small one of our own


async def miscounts(job: Job, watch: Stopwatch) -> int:
    return job.records - 1


def _row(contender: str, rate: float) -> Row:
    return Row(
        scenario="throughput", case="2 KB", at=2000, contender=contender, kind=Kind.COPY, samples={"MB/s": [rate]}
    )


def _results(ours: float, curl: float) -> Results:
    return Results(rows=[_row(COPY.name, ours), _row(CURL_FILE.name, curl)])


@pytest.mark.parametrize("nginx", SERVERS)
def test_every_way_through_the_library_brings_every_record(tmp_path: Path, nginx: str | None) -> None:
    served, output = tmp_path / "served", tmp_path / "output"
    served.mkdir()
    output.mkdir()
    liar = Entrant(name="liar", kind=Kind.DROP, target=f"{__name__}:miscounts")
    with serving(served, tmp_path, nginx=nginx) as server:
        bodies = Bodies(served, server.origins)
        body = bodies.make("small", records=50, record_bytes=2000, gzip=True)
        bench = Bench(
            rounds=1,
            seconds=0.0,
            loop="asyncio",
            certificate=str(server.authority),
            output=output,
            say=lambda text: None,
        )
        ways = [(COPY, "http", "identity"), (HEADS, "https", "identity"), (TYPED, "http", "gzip")]
        bench.run(
            [
                Heat(
                    row=Row(scenario="throughput", case=f"{scheme}, {coding}", at=0, contender=entrant.name),
                    entrant=entrant,
                    job=bodies.job(body, scheme=scheme, coding=coding),
                )
                for entrant, scheme, coding in [*ways, (liar, "http", "identity")]
            ]
        )
    assert bench.results.skipped == {"liar": "http, identity: 49 records came instead of 50"}
    assert [row.contender for row in bench.results.rows] == [entrant.name for entrant, _, _ in ways]
    assert all(row.middle("peak MB") for row in bench.results.rows)
    assert list(output.iterdir()) == []


def test_a_slower_machine_is_no_regression_but_a_slower_library_is() -> None:
    before = _results(ours=900.0, curl=1000.0)
    assert list(regressions(before, _results(ours=90.0, curl=100.0))) == []
    assert len(list(regressions(before, _results(ours=450.0, curl=1000.0)))) == 1


def test_more_memory_for_larger_results_is_a_regression() -> None:
    def memory(*peaks: float) -> Results:
        return Results(
            rows=[
                Row(scenario="memory", case=f"{n} MB", at=n, contender=COPY.name, samples={"peak MB": [peak]})
                for n, peak in enumerate(peaks)
            ]
        )

    assert list(regressions(memory(50.0, 51.0), memory(70.0, 70.0))) == []
    assert len(list(regressions(memory(50.0, 51.0), memory(50.0, 500.0)))) == 1


def test_tables_and_targets_say_what_was_measured(tmp_path: Path) -> None:
    _results(ours=950.0, curl=1000.0).save(tmp_path / "results.json")
    results = Results.load(tmp_path / "results.json")
    lines = list(tables(results))
    assert any(CURL_FILE.name in line and "1.05" in line for line in lines)
    [target] = targets(results)
    assert target.met
    assert msgspec.structs.replace(target, found=0.85).met is False
