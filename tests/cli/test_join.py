"""`streamer join`: the answers of any batches in the order of their requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.answers.made import record, request, results
from tests.cli.command import streamer
from tests.cli.conftest import Refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    results(tmp_path / "requests.jsonl", *map(request, "abc"))
    (tmp_path / "results").mkdir()
    results(tmp_path / "results" / "msgbatch_1.jsonl", record("c"), record("a", "expired"))
    results(tmp_path / "results" / "msgbatch_2.jsonl", record("b", "api_error"), record("a"))
    return tmp_path


def test_the_answers_of_all_batches_in_the_order_of_the_requests(folder: Path) -> None:
    done = streamer("join", "--requests", "requests.jsonl", "--to", "answers.jsonl", cwd=folder, key=None)
    assert done.returncode == 0
    assert (folder / "answers.jsonl").read_bytes().splitlines() == [record("a"), record("b", "api_error"), record("c")]
    assert done.stderr == "streamer: 3 answers in answers.jsonl (2 succeeded, 1 errored)\n"


def test_one_array_with_fields_of_the_requests(folder: Path) -> None:
    words = ("--to", "out/answers.json", "--fields", "params.model, params.messages.0.content", "--json")
    done = streamer("join", "--requests", "requests.jsonl", *words, cwd=folder, key=None)
    found = json.loads((folder / "out" / "answers.json").read_text())
    assert [answer["custom_id"] for answer in found] == ["a", "b", "c"]
    assert found[0]["input"] == {"params.model": "claude-haiku-5-5", "params.messages.0.content": "why?"}
    assert json.loads(done.stdout) == {
        "event": "join",
        "complete": True,
        "answers": {"succeeded": 2, "errored": 1},
        "requests": 3,
        "missing": 0,
        "missing_ids": [],
        "unknown": 0,
    }


def test_onto_stdout_and_what_is_missing_is_told(folder: Path) -> None:
    done = streamer("join", "msgbatch_1", "--requests", "requests.jsonl", "--to", "-", cwd=folder, key=None)
    assert done.returncode == 1
    assert done.stdout.encode() == record("a", "expired") + b"\n" + record("c") + b"\n"
    assert "1 request without an answer: b" in done.stderr


def test_requests_from_a_pipe(folder: Path) -> None:
    asked = (folder / "requests.jsonl").read_bytes()
    done = streamer("join", "--requests", "-", "--to", "answers.jsonl", cwd=folder, key=None, stdin=asked)
    assert done.returncode == 0
    assert (folder / "answers.jsonl").read_bytes().splitlines() == [record("a"), record("b", "api_error"), record("c")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "requests.jsonl"], "the answers cannot go to requests.jsonl: requests.jsonl, which they need"),
        (["--to", "results/msgbatch_1.jsonl"], "results/msgbatch_1.jsonl, which they need, would be lost"),
        (["--to", "results"], "results is a directory; name a file in it"),
        (["--to", "-", "--json"], "--to - and --json both write to stdout"),
        (["--to", "x.jsonl", "--fields", "title"], "there is no field 'title': name custom_id or a path"),
        (["--to", "x.jsonl", "--requests", "nothing.jsonl"], "nothing.jsonl: this cannot be read: No such file"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    folder: Path, words: list[str], sentence: str, refused: Refused
) -> None:
    before = sorted(folder.rglob("*"))
    assert sentence in refused("join", "--requests", "requests.jsonl", *words, cwd=folder)
    assert sorted(folder.rglob("*")) == before


def test_results_of_different_requests_with_the_same_ids_are_never_mixed(folder: Path, refused: Refused) -> None:
    results(folder / "results" / "msgbatch_3.jsonl", record("c", "succeeded", "to another question"))
    said = refused("join", "--requests", "requests.jsonl", "--to", "answers.jsonl", cwd=folder)
    assert "results/msgbatch_1.jsonl and results/msgbatch_3.jsonl both answer the request 'c'" in said


def test_answers_that_are_one_array_are_results_too(folder: Path) -> None:
    words = ("join", "--requests", "requests.jsonl", "--to")
    assert streamer(*words, "answers.json", cwd=folder, key=None).returncode == 0
    again = streamer(*words, "again.jsonl", "answers.json", cwd=folder, key=None)
    assert again.returncode == 0
    lines = [record("a"), record("b", "api_error"), record("c")]
    assert (folder / "again.jsonl").read_bytes().splitlines() == lines
    (folder / "pretty.json").write_text(json.dumps([json.loads(line) for line in lines], indent=2))
    assert streamer(*words, "pretty.jsonl", "pretty.json", cwd=folder, key=None).returncode == 0
    found = (folder / "pretty.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in found] == [json.loads(line) for line in lines]
    retried = streamer("retry", "answers.json", "--requests", "requests.jsonl", cwd=folder, key=None)
    assert retried.returncode == 0
    assert (folder / "retry.jsonl").read_bytes() == request("b") + b"\n"
