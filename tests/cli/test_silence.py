"""Nothing that needs somebody is passed over in silence, and nothing is said a hundred times."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.cli.show.repeated import Repeated
from streamer.cli.show.unsuccessful import unsuccessful_line
from streamer.emulator.running import RunningEmulator, running
from tests.answers.made import request, results
from tests.cli.command import COMMAND, KEY, environment, listed, streamer
from tests.cli.test_terminal import seen


@pytest.fixture(scope="module")
def failed() -> Iterator[RunningEmulator]:
    """A batch of 50 requests, none of which is valid, and one of two that are canceled."""
    with running(fill_ended=1, records=50, mix="errored=1", duration=0.2, retry_after=0) as emulator:
        yield emulator


@pytest.mark.parametrize("words", [(), ("-q",), ("--json",), ("-v",), ("--no-usage",)])
def test_a_run_in_which_no_request_succeeded_is_1_and_says_what_the_api_said(
    tmp_path: Path, failed: RunningEmulator, words: tuple[str, ...]
) -> None:
    done = streamer("run", "--all", *words, cwd=tmp_path, base_url=failed.base_url)
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if "none of 50 requests succeeded (50 errored)" in line]
    assert re.search(r", \d+ with \w+_error: .+; (mend these requests|another try may help)", line)
    if words == ():
        assert done.stderr.splitlines() == [line]
    if words == ("--json",):
        batch, run = map(json.loads, done.stdout.splitlines())
        assert sum(batch["error_messages"].values()) == 50
        assert run["complete"] is True  # every record is delivered, which is what this field says


def test_delivered_by_an_earlier_run_they_are_failures_still(tmp_path: Path, failed: RunningEmulator) -> None:
    for _ in range(2):
        done = streamer("run", "--all", cwd=tmp_path, base_url=failed.base_url)
        assert done.returncode == 1
        assert "none of 50 requests succeeded" in done.stderr


def test_who_asks_for_failures_alone_has_what_was_asked_for(tmp_path: Path, failed: RunningEmulator) -> None:
    done = streamer("run", "--all", "--only", "errored", cwd=tmp_path, base_url=failed.base_url)
    assert (done.returncode, done.stderr) == (0, "")
    words = ("run", "--all", "--only", "succeeded", "--to", "s/{batch_id}")
    done = streamer(*words, cwd=tmp_path, base_url=failed.base_url)
    assert done.returncode == 1
    assert "none of 50 requests succeeded (50 errored)" in done.stderr


def test_at_a_terminal_it_is_a_line_of_the_summary(tmp_path: Path, failed: RunningEmulator) -> None:
    code, _, shown = seen("run", "--all", cwd=tmp_path, base_url=failed.base_url)
    assert code == 1
    assert shown.count("none of 50 requests succeeded") == 1


def test_some_that_failed_are_one_line_in_a_pipe_and_exit_0(tmp_path: Path, emulator: RunningEmulator) -> None:
    done = streamer("run", "--all", cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert re.match(r"streamer: \d+ of \d+ requests did not succeed \(\d+ errored\), ", line)
    quiet = streamer("run", "--all", "-q", cwd=tmp_path, base_url=emulator.base_url)
    assert (quiet.returncode, quiet.stderr) == (0, "")


def test_process_of_requests_that_all_fail_is_1_and_says_why(tmp_path: Path) -> None:
    results(tmp_path / "requests.jsonl", *[request(f"q-{n}") for n in range(5)])
    with running(mix="errored=1", duration=0.1, retry_after=0, seed=3) as emulator:
        words = ("process", "requests.jsonl", "--to", "answers.jsonl", "--poll-interval", "0.1", "--retry", "0")
        done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 1
    assert "none of 5 requests succeeded (5 errored)" in done.stderr


MEND = "mend these requests and submit them again, unchanged they would fail again"
AGAIN = "another try may help: `streamer retry --requests FILE` makes a file of them"
MESSAGES = {"api_error: oh": 1, "invalid_request_error: \x1b[31mtoo large": 2}


@pytest.mark.parametrize(
    ("records", "messages", "line"),
    [
        ({"succeeded": 5}, {}, None),
        ({"succeeded": 5, "canceled": 2}, {}, None),
        ({}, {}, None),
        ({"canceled": 2}, {}, "none of 2 requests succeeded (2 canceled); submit them again to have them answered"),
        ({"succeeded": 5, "expired": 2}, {}, f"2 of 7 requests did not succeed (2 expired); {AGAIN}"),
        (
            {"succeeded": 1, "errored": 3},
            MESSAGES,
            f"3 of 4 requests did not succeed (3 errored), 2 with invalid_request_error: \\x1b[31mtoo large; {MEND}",
        ),
    ],
)
def test_what_is_said_of_failures(records: dict[str, int], messages: dict[str, int], line: str | None) -> None:
    assert unsuccessful_line(records, messages) == line


def test_batches_that_fail_alike_are_said_three_times_and_counted(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with running(fill_ended=40, records=1, retry_after=0) as emulator:
        words = ("run", "--all", "--to", "out/{batch_id}.jsonl", "--json")
        done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 5
    assert all("out is a file where a directory should be" in line for line in lines[:4])
    assert lines[3].startswith("streamer: 37 more like these, the last of them: msgbatch_")
    assert "0 of 40 batches delivered, 40 failed" in lines[4]
    assert len(done.stdout.splitlines()) == 41  # a program is told of each


def test_reasons_of_several_kinds_are_counted_apart(capsys: pytest.CaptureFixture[str]) -> None:
    repeated = Repeated()
    for n in range(4):
        repeated.say(f"msgbatch_a{n} failed: 404 after {n} s (req_{n}xy)")
        repeated.say(f"b{n}-x failed: no room on b{n}-x", about=f"b{n}-x")
    repeated.say("else")
    repeated.say_rest()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 9  # what would be counted as one is said itself
    assert said[-2:] == [
        "streamer: msgbatch_a3 failed: 404 after 3 s (req_3xy)",
        "streamer: b3-x failed: no room on b3-x",
    ]
    repeated.say_rest()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("more", ["", "--to out/{batch_id}.jsonl"])
def test_a_run_stops_when_nobody_reads_its_records(tmp_path: Path, more: str) -> None:
    with running(fill_ended=30, records=400, retry_after=0) as emulator:
        command = f"{' '.join(COMMAND)} run --all --to - {more} | head -n 1 > first; exit ${{PIPESTATUS[0]}}"
        env = environment(emulator.base_url, KEY)
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, check=False)
        asked = emulator.stats()["requests"].get("results", 0)
    assert done.returncode == 1
    [line] = done.stderr.decode().splitlines()
    assert "nobody reads standard output any more, so the run stopped" in line
    assert asked < 30
    assert json.loads((tmp_path / "first").read_text())["custom_id"]


def test_an_id_asked_for_by_hundreds_of_commands_is_no_wall(tmp_path: Path, emulator: RunningEmulator) -> None:
    ids = [f"../{n}" for n in range(50)]
    done = streamer("show", *ids, listed(emulator)[0], cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 4
    assert done.stdout.startswith("id: ")


def test_a_run_with_v_in_a_pipe_says_at_the_end_what_it_did(tmp_path: Path) -> None:
    with running(fill_ended=2, records=10, retry_after=0) as emulator:
        done = streamer("run", "--all", "-v", cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "streamer: 2 of 2 batches delivered; 20 records (20 succeeded)"
    assert sum("batches delivered" in line for line in done.stderr.splitlines()) == 1
