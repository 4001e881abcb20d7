"""One run over a good batch and bad ones: each bad one is a sentence and a report, and harms no other."""

from __future__ import annotations

import json

import pytest

from tests.cli.command import KEY, Started
from tests.cli.strange import ALL, BROKEN, ELSEWHERE, ESCAPE, GOOD, MALFORMED, REFUSED, RESULTS, UNKNOWN


class Mixed:
    """What the run left: what it wrote, where, and what it asked for."""

    def __init__(self, started: Started, paths: list[str]) -> None:
        self.folder = started.folder
        self.done = started.done
        self.paths = paths
        *batches, self.run = [json.loads(line) for line in self.done.stdout.splitlines()]
        self.batches = {batch["batch_id"]: batch for batch in batches}

    def sentences(self, batch_id: str) -> list[str]:
        """What was said about a batch, but for warnings on the way."""
        lines = self.done.stderr.splitlines()
        return [line for line in lines if batch_id in line and not line.startswith("streamer: warning: ")]


@pytest.fixture(scope="module")
def mixed(wrong_batches: tuple[Started, list[str]]) -> Mixed:
    return Mixed(*wrong_batches)


def test_a_good_batch_is_delivered_among_bad_ones(mixed: Mixed) -> None:
    assert mixed.batches[GOOD]["complete"] is True
    assert (mixed.folder / "results" / f"{GOOD}.jsonl").read_text() == RESULTS[GOOD][1] + "\n"


def test_bad_batches_make_the_exit_code_1_and_the_report_says_which(mixed: Mixed) -> None:
    assert mixed.done.returncode == 1
    document = json.loads((mixed.folder / "report.json").read_text())
    assert document["complete"] is False
    assert {one["batch_id"]: (one["complete"], one["error"] == "") for one in document["batches"]} == {
        batch_id: (batch_id == GOOD, batch_id == GOOD) for batch_id in ALL
    }


def test_the_report_is_for_its_owner_alone(mixed: Mixed) -> None:
    assert (mixed.folder / "report.json").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in mixed.folder.iterdir()} == {"report.json", "results"}


@pytest.mark.parametrize(
    ("batch_id", "words"),
    [
        (MALFORMED, "is not a batch id"),
        (UNKNOWN, "404 not_found_error"),
        (REFUSED, "400 invalid_request_error"),
        (BROKEN, f"results/{BROKEN}.rejects.jsonl"),
        (ELSEWHERE, "--trust-host 127.0.0.2:9"),
    ],
)
def test_each_bad_batch_is_one_sentence_that_says_what_to_do(mixed: Mixed, batch_id: str, words: str) -> None:
    [sentence] = mixed.sentences(batch_id)
    assert sentence.startswith(f"streamer: {batch_id} {mixed.batches[batch_id]['outcome']}: ")
    assert words in sentence
    assert mixed.batches[batch_id]["error"] in sentence.replace("\\\\", "\\")


def test_a_broken_record_is_kept_in_the_rejects_file_beside_the_results(mixed: Mixed) -> None:
    [line] = (mixed.folder / "results" / f"{BROKEN}.rejects.jsonl").read_text().splitlines()
    assert json.loads(line)["batch_id"] == BROKEN
    assert mixed.batches[BROKEN]["rejected"] == 1


def test_a_malformed_id_is_never_sent(mixed: Mixed) -> None:
    assert not [path for path in mixed.paths if "etc" in path]


def test_nothing_a_server_says_reaches_the_terminal_raw(mixed: Mixed) -> None:
    assert ESCAPE not in mixed.done.stderr + mixed.done.stdout
    assert "\\x1b[31m" in mixed.done.stderr


def test_the_key_is_in_no_output_and_no_file(mixed: Mixed) -> None:
    written = [path.read_text() for path in mixed.folder.rglob("*") if path.is_file()]
    assert not [text for text in (*written, mixed.done.stderr, mixed.done.stdout) if KEY in text]


def test_every_line_on_stderr_is_ours(mixed: Mixed) -> None:
    assert all(line.startswith("streamer: ") for line in mixed.done.stderr.splitlines())


def test_the_last_line_of_json_adds_up(mixed: Mixed) -> None:
    assert mixed.run["event"] == "run"
    assert mixed.run["complete"] is False
    assert mixed.run["batches"]["delivered"] == 1
    assert sum(mixed.run["batches"].values()) == len(ALL)
    assert mixed.run["requests"] == len(mixed.paths)
