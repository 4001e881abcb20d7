"""`streamer status`: what a person asks in the morning."""

from __future__ import annotations

import json
import re
from pathlib import Path

from streamer.emulator.running import RunningEmulator, running
from tests.answers.made import request, results
from tests.cli.command import streamer


def submitted(tmp_path: Path, emulator: RunningEmulator) -> None:
    results(tmp_path / "requests.jsonl", *[request(f"q-{n}", f"question {n}") for n in range(5)])
    words = ("submit", "requests.jsonl", "--max-requests", "3")
    assert streamer(*words, cwd=tmp_path, base_url=emulator.base_url).returncode == 0


def test_it_says_where_each_batch_stands_and_what_the_next_run_would_do(tmp_path: Path) -> None:
    with running(duration=1000, duration_spread=0, retry_after=0) as emulator:
        submitted(tmp_path, emulator)
        done = streamer("status", "requests.jsonl.streamer", cwd=tmp_path, base_url=emulator.base_url)
        assert (done.returncode, done.stderr) == (0, "")
        first, one, other, *rest = done.stdout.splitlines()
        assert first == "requests.jsonl.streamer: 5 requests in 2 batches"
        assert re.fullmatch(r"  1\. msgbatch_\w+: 3 requests, in_progress until .* UTC at most", one)
        assert "2 requests" in other
        assert rest[:2] == ["answers: none yet", "5 requests without an answer: q-0, q-1, q-2, ..."]
        assert rest[-1] == "the next run would wait for 2 batches, and fetch the results"
        before = emulator.stats()["requests"]
        offline = streamer("status", "requests.jsonl.streamer", cwd=tmp_path, base_url=emulator.base_url, key=None)
        assert (offline.returncode, offline.stderr) == (0, "")
        assert "created, its results are not here yet" in offline.stdout
        words = ("status", "requests.jsonl.streamer", "--offline", "--json")
        told = json.loads(streamer(*words, cwd=tmp_path, base_url=emulator.base_url).stdout)
        assert emulator.stats()["requests"] == before | {"stats": before["stats"] + 1}
    assert told.keys() == {
        "project", "in_use", "address", "batches", "requests", "answers", "errors", "missing", "missing_ids",
        "retryable", "attempts", "usage", "next", "cost",
    }  # fmt: skip
    assert (told["requests"], told["missing"], len(told["batches"])) == (5, 5, 2)


def test_what_is_no_project_is_told(tmp_path: Path) -> None:
    done = streamer("status", "nothing", cwd=tmp_path, key=None)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing is no project: it has no ledger.sqlite" in done.stderr
