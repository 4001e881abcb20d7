"""`streamer retry`: what failed and can be sent again becomes a request file; the rest is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.emulator.running import running
from tests.answers.made import record, request, results
from tests.cli.command import listed, streamer
from tests.cli.conftest import Refused

IDS = ["a", "b", "c", "d", "e"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five requests: one succeeded, two can be sent again, two cannot."""
    results(tmp_path / "requests.jsonl", *map(request, IDS))
    (tmp_path / "results").mkdir()
    results(tmp_path / "results" / "msgbatch_1.jsonl", record("c", "expired"), record("a"), record("b", "api_error"))
    results(
        tmp_path / "results" / "msgbatch_2.jsonl",
        record("e", "canceled"),
        record("d", "invalid_request_error", "prompt is too long"),
    )
    (tmp_path / "results" / "msgbatch_1.rejects.jsonl").write_text('{"reason": "no record"}\n')
    (tmp_path / "results" / "msgbatch_3.jsonl.part").write_text("")
    return tmp_path


def test_what_can_be_sent_again_and_why_the_rest_is_not(folder: Path) -> None:
    done = streamer("retry", "--requests", "requests.jsonl", cwd=folder, key=None)
    assert done.returncode == 0
    assert (folder / "retry.jsonl").read_bytes() == request("b") + b"\n" + request("c") + b"\n"
    refused = "1 invalid_request_error: its params are refused, and would be again"
    assert done.stderr.splitlines() == [
        "streamer: d: invalid_request_error, prompt is too long",
        "streamer: e: canceled",
        f"streamer: 2 requests left as they are (1 canceled: somebody canceled its batch; {refused})",
        "streamer: 2 of 5 requests can be sent again (1 api_error, 1 expired): retry.jsonl",
    ]


def test_json_tells_all_of_it(folder: Path) -> None:
    done = streamer(
        "retry", "--requests", "requests.jsonl", "--json", "--also", "canceled", "--to", "x.jsonl", cwd=folder
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines == [
        {
            "event": "left",
            "custom_id": "d",
            "what": "invalid_request_error",
            "reason": "its params are refused, and would be again",
            "message": "prompt is too long",
        },
        {
            "event": "retry",
            "requests": 5,
            "succeeded": 1,
            "again": {"api_error": 1, "expired": 1, "canceled": 1},
            "left": {"invalid_request_error": 1},
            "to": "x.jsonl",
        },
    ]
    assert done.stderr == ""


def test_batches_and_files_by_name(folder: Path) -> None:
    done = streamer("retry", "msgbatch_1", "--requests", "requests.jsonl", cwd=folder, key=None)
    assert "2 missing: no record of it came" in done.stderr
    (folder / "retry.jsonl").unlink()
    done = streamer("retry", "results/msgbatch_2.jsonl", "--requests", "requests.jsonl", cwd=folder, key=None)
    assert "nothing to send again: 0 of 5 requests succeeded" in done.stderr
    assert not (folder / "retry.jsonl").exists()


def test_told_to_it_sends_them_once(folder: Path) -> None:
    with running(duration=0.1) as emulator:
        words = ("retry", "--requests", "requests.jsonl", "--submit", "--quiet")
        done = streamer(*words, cwd=folder, base_url=emulator.base_url)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == listed(emulator)
        # The file may not be written over, as it was sent; and sending it again sends nothing.
        assert streamer(*words, cwd=folder, base_url=emulator.base_url).returncode == 2
        again = streamer("submit", "retry.jsonl", "--quiet", cwd=folder, base_url=emulator.base_url)
        assert again.stdout == done.stdout
        assert emulator.stats()["batches_created"] == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["msgbatch_9"], "there is no file msgbatch_9, and no results/msgbatch_9.jsonl; `streamer run` fetches"),
        (["msgbatch_3"], "the results of msgbatch_3 are not complete: `streamer run msgbatch_3` goes on with them"),
        (["requests.jsonl"], "requests.jsonl holds something else than records at byte 0"),
        (["--results", "out/{batch_id}.jsonl"], "there are no results in out/{batch_id}.jsonl"),
        (["--also", "cancelled"], "'cancelled' is nothing that can be sent again"),
        (["--to", "requests.jsonl"], "requests.jsonl exists already: `streamer submit requests.jsonl` sends"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    folder: Path, words: list[str], sentence: str, refused: Refused
) -> None:
    before = sorted(folder.rglob("*"))
    assert sentence in refused("retry", *words, "--requests", "requests.jsonl", cwd=folder)
    assert sorted(folder.rglob("*")) == before
