"""`streamer process` and `streamer run --retry`: the tasks of those who have requests and want answers."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.emulator.running import RunningEmulator, running
from tests.answers.made import request, results
from tests.cli.command import Started, listed, streamer
from tests.cli.conftest import Refused
from tests.cli.test_terminal import seen

SOON = ("--poll-interval", "0.1")
PROCESS_FIELDS = {
    "event", "complete", "to", "project", "requests", "answers", "errors", "missing", "missing_ids", "unknown",
    "retryable", "attempts", "sent_again", "batches", "usage", "cost", "seconds", "http_requests", "http_retries",
}  # fmt: skip


@pytest.fixture(scope="module")
def service() -> Iterator[RunningEmulator]:
    """Batches take a third of a second, and one request of five fails."""
    mix = "succeeded=0.8,errored=0.1,expired=0.1"
    with running(mix=mix, duration=0.3, retry_after=0, record_bytes=300) as emulator:
        yield emulator


def requests(path: Path, number: int, prefix: str = "q") -> Path:
    return results(path, *[request(f"{prefix}-{n}", f"question {n}") for n in range(number)])


def ids_in(path: Path) -> list[str]:
    text = path.read_text()
    found = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    return [answer["custom_id"] for answer in found]


def test_classify_three_items_and_print_them_sorted(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("custom_id,item\nb,a broken lamp\nc,praise for the staff\na,a lost parcel\n")
    (tmp_path / "params.json").write_text(
        json.dumps(
            {
                "model": "claude-haiku-5-5",
                "max_tokens": 10,
                "system": "Answer with one word: complaint or praise.",
                "messages": [{"role": "user", "content": "{item}"}],
            }
        )
    )
    with running(duration=0.2, retry_after=0) as emulator:
        words = ("process", "items.csv", "--template", "params.json", "--fields", "item", "--to", "-", *SOON)
        done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    texts = {one["input"]["item"]: one["result"]["message"]["content"][0]["text"] for one in answers}
    assert sorted(texts) == ["a broken lamp", "a lost parcel", "praise for the staff"]
    assert all(texts.values())


def test_in_a_pipe_it_says_what_failed_alone_and_the_file_holds_every_answer(
    tmp_path: Path, service: RunningEmulator
) -> None:
    requests(tmp_path / "requests.jsonl", 300)
    words = ("process", "requests.jsonl", "--to", "out/answers.json", "--retry", "9", "--report", "report.json", *SOON)
    done = streamer(*words, cwd=tmp_path, base_url=service.base_url)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (0, "", 1)
    line = r"\d+ of 300 requests did not succeed \(\d+ errored\), \d+ with invalid_request_error: "
    assert re.search(line, done.stderr)
    assert ids_in(tmp_path / "out" / "answers.json") == [f"q-{n}" for n in range(300)]
    report = json.loads((tmp_path / "report.json").read_text())
    assert PROCESS_FIELDS - {"event"} == set(report)
    assert report["attempts"] == len(report["batches"]) > 1
    assert float(report["cost"]["usd"]) > 0


def test_json_tells_of_each_batch_and_of_the_whole(tmp_path: Path, service: RunningEmulator) -> None:
    requests(tmp_path / "requests.jsonl", 50)
    words = ("process", "requests.jsonl", "--to", "answers.jsonl", "--retry", "0", "--json", *SOON)
    done = streamer(*words, cwd=tmp_path, base_url=service.base_url)
    batch, whole = [json.loads(line) for line in done.stdout.splitlines()]
    assert (batch["event"], batch["outcome"], batch["expected"]) == ("batch", "delivered", 50)
    assert set(whole) == PROCESS_FIELDS
    assert (whole["event"], whole["requests"], whole["attempts"], whole["batches"]) == ("process", 50, 1, 1)
    # What expired could be sent again, so something is left to do, and it is told what.
    assert (done.returncode, whole["complete"]) == (1, False)
    assert whole["retryable"] >= whole["answers"]["expired"] == 5
    assert f"{whole['retryable']} requests failed in 1 attempt" in done.stderr
    assert "run the same with --retry 1" in done.stderr
    again = streamer(*words[:5], "20", *words[6:], cwd=tmp_path, base_url=service.base_url)
    assert again.returncode == 0
    assert json.loads(again.stdout.splitlines()[-1])["answers"].keys() <= {"succeeded", "errored"}


def test_interrupted_it_says_what_to_do_and_the_same_command_goes_on(tmp_path: Path) -> None:
    requests(tmp_path / "requests.jsonl", 40)
    words = ("process", "requests.jsonl", "--to", "answers.jsonl", *SOON)
    with running(duration=1000, duration_spread=0, retry_after=0) as emulator:
        with Started(*words, cwd=tmp_path, base_url=emulator.base_url) as started:
            while not listed(emulator):
                time.sleep(0.05)
            started.process.send_signal(signal.SIGTERM)
            assert started.done.returncode == 130
        assert started.done.stderr == "streamer: interrupted; run the same command again to go on\n"
        assert not list(tmp_path.glob("answers*"))
        emulator.advance(2000)
        done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
        assert done.returncode == 0
        assert emulator.stats()["batches_created"] == 1
        # Done, and run once more: nothing is sent.
        before = emulator.stats()["requests"]
        again = streamer(*words, "--json", cwd=tmp_path, base_url=emulator.base_url)
        assert again.returncode == 0
        assert emulator.stats()["requests"] == before | {"stats": before["stats"] + 1}
    assert ids_in(tmp_path / "answers.jsonl") == [f"q-{n}" for n in range(40)]


def test_canceled_in_mid_flight_it_keeps_what_came(tmp_path: Path) -> None:
    requests(tmp_path / "requests.jsonl", 40)
    words = ("process", "requests.jsonl", "--to", "answers.jsonl", "--json", *SOON)
    with running(duration=1000, duration_spread=0, cancel_duration=1, retry_after=0) as emulator:
        with Started(*words, cwd=tmp_path, base_url=emulator.base_url) as started:
            while not (ids := listed(emulator)):
                time.sleep(0.05)
            emulator.advance(500)
            assert streamer("cancel", "--yes", *ids, cwd=tmp_path, base_url=emulator.base_url).returncode == 0
            emulator.advance(2)
            assert started.done.returncode == 0
    whole = json.loads(started.done.stdout.splitlines()[-1])
    assert whole["answers"].keys() == {"succeeded", "canceled"}
    assert sum(whole["answers"].values()) == 40
    assert ids_in(tmp_path / "answers.jsonl") == [f"q-{n}" for n in range(40)]


def test_at_a_terminal_it_says_what_it_sends_again_and_what_all_came_to(
    tmp_path: Path, service: RunningEmulator
) -> None:
    requests(tmp_path / "requests.jsonl", 100, "t")
    words = ("process", "requests.jsonl", "--to", "answers.jsonl", "--retry", "9", "--max-requests", "60")
    code, out, shown = seen(*words, *SOON, cwd=tmp_path, base_url=service.base_url)
    assert (code, out) == (0, "")
    assert "streamer: 100 requests in 2 batches" in shown
    assert re.search(r"streamer: sending \d+ requests again \(.*10 expired", shown)
    assert re.search(r"[12] at the API, 0 queued, 0 streaming", shown)
    assert re.search(r"streamer: 100 answers in answers\.jsonl \(\d+ succeeded, \d+ errored\)", shown)
    assert re.search(r"streamer: \d+ requests sent again, in \d further attempt", shown)
    assert re.search(r"streamer: cost: \$0\.00\d+ at batch price", shown)


def test_requests_from_another_command_need_a_name_for_the_project(tmp_path: Path, service: RunningEmulator) -> None:
    lines = b"\n".join(request(f"p-{n}") for n in range(5))
    words = ("process", "-", "--to", "-", "--retry", "9", *SOON)
    done = streamer(*words, cwd=tmp_path, base_url=service.base_url, stdin=lines)
    assert done.returncode == 2
    assert "no name to call its project by" in done.stderr
    done = streamer(*words, "--project", "mine", cwd=tmp_path, base_url=service.base_url, stdin=lines)
    assert done.returncode == 0
    assert [json.loads(line)["custom_id"] for line in done.stdout.splitlines()] == [f"p-{n}" for n in range(5)]
    assert (tmp_path / "mine" / "ledger.sqlite").exists()


@pytest.mark.parametrize(
    ("lines", "words", "sentence"),
    [
        ([request("a"), b"{", request("a")], (), "requests.jsonl, line 2: this is no JSON"),
        ([request("a"), b"{", request("a")], (), "line 3: the custom_id 'a' was used in line 1 already"),
        ([request("a")], ("--to", "requests.jsonl"), "requests.jsonl, which they need, would be lost"),
        ([request("a")], ("--report", "/dev/null"), "is a pipe or a device"),
        ([request("a")], ("--report", "requests.jsonl"), "is a file needed for something else"),
        ([request("a")], ("--report", "./answers.jsonl"), "is a file needed for something else"),
        ([request("a")], ("--to", "."), "is a directory"),
        ([request("a")], ("--to", "-", "--json"), "--to - and --json both write to stdout"),
        ([request("a")], ("--fields", "title"), "there is no field 'title'"),
        ([request("a")], ("--retry", "-1"), "is not a whole number of 0 or more"),
    ],
)
def test_mistakes_are_told_and_nothing_is_sent(
    tmp_path: Path, lines: list[bytes], words: tuple[str, ...], sentence: str, refused: Refused
) -> None:
    results(tmp_path / "requests.jsonl", *lines)
    to = () if "--to" in words else ("--to", "answers.jsonl")
    assert sentence in refused("process", "requests.jsonl", *to, *words, cwd=tmp_path)
    assert not (tmp_path / "answers.jsonl").exists()


def test_run_with_retry_makes_one_file_of_batches_that_are_there(tmp_path: Path, service: RunningEmulator) -> None:
    requests(tmp_path / "requests.jsonl", 100, "old")
    before = set(listed(service))
    assert streamer("submit", "requests.jsonl", cwd=tmp_path, base_url=service.base_url).returncode == 0
    [made] = set(listed(service)) - before
    words = ("run", made, "--requests", "requests.jsonl", "--to", "answers.jsonl", "--retry", "9", "--project", "p")
    done = streamer(*words, *SOON, "--json", "--fields", "params.model", cwd=tmp_path, base_url=service.base_url)
    whole = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, whole["complete"]) == (0, True)
    assert whole["attempts"] > 1
    assert ids_in(tmp_path / "answers.jsonl") == [f"old-{n}" for n in range(100)]
    first: dict[str, Any] = json.loads((tmp_path / "answers.jsonl").read_text().splitlines()[0])
    assert first["input"] == {"params.model": "claude-haiku-5-5"}
    assert len(set(listed(service)) - before) == whole["attempts"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--all", "--retry", "1"), "--retry is for batches that are named one by one"),
        (("msgbatch_1", "--retry", "1", "--to", "a.jsonl"), "--retry needs the requests"),
        (("msgbatch_1", "--retry", "1", "--requests", "r"), "name it by --to, without {batch_id}"),
        (("msgbatch_1", "--retry", "1", "--requests", "r", "--to", "{batch_id}.jsonl"), "name it by --to, without"),
        (("msgbatch_1", "--retry", "1", "--requests", "r", "--to", "a", "--only", "errored"), "do not go with --retry"),
        (("msgbatch_1", "--fields", "params.model"), "are for one file of all answers: say --retry N"),
    ],
)
def test_what_run_with_retry_needs_is_told(
    tmp_path: Path, words: tuple[str, ...], sentence: str, refused: Refused
) -> None:
    assert sentence in refused("run", *words, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
