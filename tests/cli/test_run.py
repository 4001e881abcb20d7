"""`streamer run`: records in files and on stdout, a report for people, programs and later."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.emulator.running import RunningEmulator, running
from tests.cli.command import COMMAND, KEY, Started, environment, listed, raw_results, streamer

BATCH_FIELDS = {
    "event", "complete", "batch_id", "outcome", "expected", "distinct", "records", "errors", "duplicates", "rejected",
    "duplicate_ids", "unknown_ids", "error_messages", "bytes",
    "downloads", "seconds", "usage", "cost", "destinations", "error",
}  # fmt: skip
RUN_FIELDS = {
    "event", "complete", "batches", "records", "bytes", "seconds", "requests", "retries", "missing", "missing_ids",
    "usage", "cost",
}  # fmt: skip
OUTCOMES = {"waiting", "streaming", "delivered", "already_delivered", "incomplete", "failed"}


def test_a_run_in_a_pipe_says_what_failed_alone_and_writes_every_batch(
    tmp_path: Path, emulator: RunningEmulator
) -> None:
    done = streamer("run", "--all", cwd=tmp_path, base_url=emulator.base_url)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (0, "", 1)
    assert "requests did not succeed (" in done.stderr
    files = {path.stem: path.read_text().splitlines() for path in (tmp_path / "results").iterdir()}
    assert set(files) == set(listed(emulator))
    assert {len(lines) for lines in files.values()} == {30}


def test_json_is_one_object_for_each_batch_and_one_for_the_run(tmp_path: Path, emulator: RunningEmulator) -> None:
    one, two, *_ = listed(emulator)
    # Each id counts once, however often and wherever it is given.
    ids = f'# mine\n{one}\n\n{{"id": "{two}", "type": "message_batch"}}\n{{"batch_id": "{one}"}}\n'
    words = ("run", one, "--ids-from", "-", "--json", "--report", "report.json")
    done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url, stdin=ids)
    *batches, run = [json.loads(line) for line in done.stdout.splitlines()]
    assert {batch["batch_id"] for batch in batches} == {one, two}
    assert len(batches) == 2
    for batch in batches:
        assert set(batch) == BATCH_FIELDS
        assert (batch["event"], batch["complete"], batch["outcome"]) == ("batch", True, "delivered")
        assert batch["records"] == {"succeeded": 24, "errored": 6}
        assert batch["destinations"] == [f"results/{batch['batch_id']}.jsonl"]
    assert set(run) == RUN_FIELDS
    assert set(run["batches"]) == OUTCOMES
    assert (run["batches"]["delivered"], run["records"]) == (2, {"succeeded": 48, "errored": 12})
    report = json.loads((tmp_path / "report.json").read_text())
    assert {key: report[key] for key in RUN_FIELDS - {"event", "batches"}} == {
        key: run[key] for key in RUN_FIELDS - {"event", "batches"}
    }
    assert len(report["batches"]) == 2
    again = streamer("run", one, "--json", cwd=tmp_path, base_url=emulator.base_url)
    assert json.loads(again.stdout.splitlines()[0])["outcome"] == "already_delivered"
    assert json.loads(again.stdout.splitlines()[1])["cost"] is None  # this run has seen no record's usage


def test_records_go_to_stdout_and_a_file_alike_and_only_those_asked_for(
    tmp_path: Path, emulator: RunningEmulator
) -> None:
    one, *_ = listed(emulator)
    words = ("run", one, "--to", "-", "--to", "out/{batch_id}.jsonl", "--only", "errored")
    done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (tmp_path / "out" / f"{one}.jsonl").read_text()
    types = Counter(json.loads(line)["result"]["type"] for line in done.stdout.splitlines())
    assert types == {"errored": 6}


def until(true: Callable[[], bool]) -> None:
    """Wait for another process to get somewhere."""
    give_up = time.monotonic() + 60
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.02)


@pytest.fixture(scope="module")
def slow() -> Iterator[RunningEmulator]:
    """An ended batch of 100 records that takes a second to come."""
    with running(fill_ended=1, records=100, results_rate=150_000) as emulator:
        yield emulator


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_run_says_how_to_go_on_and_going_on_gives_the_same_bytes(
    tmp_path: Path, slow: RunningEmulator, number: signal.Signals
) -> None:
    [batch_id] = listed(slow)
    sent = slow.stats()["bytes_sent"]
    with Started("run", batch_id, "--report", "report.json", cwd=tmp_path, base_url=slow.base_url) as started:
        until(lambda: slow.stats()["bytes_sent"] > sent + 40_000)
        started.process.send_signal(number)
        done = started.done
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "streamer: interrupted; run the same command again to go on"
    assert json.loads((tmp_path / "report.json").read_text())["batches"][0]["outcome"] == "streaming"
    [part] = (tmp_path / "results").iterdir()
    kept = part.read_bytes()
    assert part.name == f"{batch_id}.jsonl.part"
    assert kept.endswith(b"}\n")

    again = streamer("run", batch_id, cwd=tmp_path, base_url=slow.base_url)
    assert (again.returncode, again.stderr) == (0, "")
    [file] = (tmp_path / "results").iterdir()
    assert file.name == f"{batch_id}.jsonl"
    assert file.read_bytes() == raw_results(slow, batch_id) + b"\n"
    assert file.read_bytes().startswith(kept)


def test_a_run_that_follows_reports_what_it_did_when_it_is_stopped(tmp_path: Path, emulator: RunningEmulator) -> None:
    words = ("run", "--follow", "--json", "--report", "report.json", "--poll-interval", "0.2")
    params = {"model": "claude-opus-5-5", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    (tmp_path / "requests.jsonl").write_text(json.dumps({"custom_id": "a", "params": params}))
    with Started(*words, cwd=tmp_path, base_url=emulator.base_url) as started:
        asked = emulator.stats()["requests"].get("list", 0)
        until(lambda: emulator.stats()["requests"].get("list", 0) > asked)
        assert KEY.encode() not in Path(f"/proc/{started.process.pid}/cmdline").read_bytes()
        new = streamer("submit", "requests.jsonl", cwd=tmp_path, base_url=emulator.base_url).stdout.strip()
        until((tmp_path / "results" / f"{new}.jsonl").exists)
        asked = emulator.stats()["requests"]["list"]  # the file has its name a moment before the batch is done with
        until(lambda: emulator.stats()["requests"]["list"] > asked + 1)
        started.process.send_signal(signal.SIGINT)
        done = started.done
    assert done.returncode == 130
    *batches, run = [json.loads(line) for line in done.stdout.splitlines()]
    assert new in {batch["batch_id"] for batch in batches}
    assert run["event"] == "run"
    assert {one["batch_id"] for one in json.loads((tmp_path / "report.json").read_text())["batches"]} >= {new}


@pytest.mark.parametrize("define", ["def take(record): sys.exit(0)", "async def take(record): sys.exit(0)"])
def test_a_callback_that_exits_in_peace_does_not_make_the_run_a_success(tmp_path: Path, define: str) -> None:
    (tmp_path / "mine.py").write_text(f"import sys\n\n{define}\n")
    with running(fill_ended=1, records=3) as emulator:
        done = subprocess.run(
            [*COMMAND, "run", "--all", "--to", "callback:mine:take"],
            cwd=tmp_path,
            env={**environment(emulator.base_url, KEY), "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "mine.take failed on record" in done.stderr
    assert "SystemExit: 0" in done.stderr
