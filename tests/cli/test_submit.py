"""`streamer submit`: what is refused, what is sent, and that nothing is sent twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.emulator.running import RunningEmulator, running
from tests.cli.command import asked, listed, streamer

PARAMS = {"model": "claude-opus-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}


def request(custom_id: str, **changed: Any) -> str:
    return json.dumps({"custom_id": custom_id, "params": PARAMS | changed})


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with running(duration=3600) as emulator:
        yield emulator


def sent(emulator: RunningEmulator) -> tuple[int, int, int]:
    stats = emulator.stats()
    return stats["batches_created"], stats["bodies_repeated"], stats["requests"].get("create", 0)


def test_a_file_becomes_batches_whose_ids_are_printed_and_a_second_time_nothing_is_sent(
    tmp_path: Path, emulator: RunningEmulator
) -> None:
    (tmp_path / "my.jsonl").write_text("\n".join(request(f"q-{n}") for n in range(5)))
    before = sent(emulator)[0]
    words = ("submit", "my.jsonl", "--max-requests", "2")
    first = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert (first.returncode, first.stderr) == (0, "")
    ids = first.stdout.splitlines()
    assert ids == listed(emulator)[2::-1]
    assert [json.loads(asked(emulator, f"/{one}"))["request_counts"]["processing"] for one in ids] == [2, 2, 1]
    again = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, "")
    assert sent(emulator)[0] - before == 3


def test_requests_from_stdin_are_kept_in_the_project_that_is_named(tmp_path: Path, emulator: RunningEmulator) -> None:
    stdin = request("a")
    nameless = streamer("submit", "-", cwd=tmp_path, base_url=emulator.base_url, stdin=stdin)
    assert nameless.returncode == 2
    assert "--project DIR" in nameless.stderr
    words = ("submit", "-", "--project", "mine")
    done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url, stdin=stdin)
    assert done.stdout.strip() == listed(emulator)[0]
    assert (tmp_path / "mine" / "requests.jsonl").read_text().startswith('{"custom_id":"a"')


def test_every_fault_is_told_with_file_and_line_and_nothing_is_sent(tmp_path: Path, emulator: RunningEmulator) -> None:
    good = request("a")
    lines = [
        good,
        "",
        good,
        request("a b"),
        good[:-2],
        '{"custom_id": 5, "params": {}}',
        '{"custom_id": "d"}',
        good[:-1] + ', "model": "x"}',
        request("e", stream=True),
        request("f", max_tokens=0),
    ]
    (tmp_path / "my.jsonl").write_text("\n".join(lines))
    (tmp_path / "other.jsonl").write_text(request("b") + "\n" + good)
    before = sent(emulator)
    done = streamer("submit", "my.jsonl", "other.jsonl", cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 2
    assert done.stdout == ""
    *faults, last = done.stderr.splitlines()
    places = {fault.removeprefix("streamer: ").partition(":")[0] for fault in faults}
    assert places == {*(f"my.jsonl, line {n}" for n in range(3, 11)), "other.jsonl, line 2"}
    assert "nothing was sent" in last
    assert sent(emulator) == before
    assert not (tmp_path / "my.jsonl.streamer").exists()


def test_changed_request_files_are_refused_once_something_was_sent(tmp_path: Path, emulator: RunningEmulator) -> None:
    file = tmp_path / "my.jsonl"
    file.write_text(request("a"))
    assert streamer("submit", "my.jsonl", cwd=tmp_path, base_url=emulator.base_url).returncode == 0
    file.write_text(request("b"))
    before = sent(emulator)
    done = streamer("submit", "my.jsonl", cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 2
    assert "another project" in done.stderr
    assert sent(emulator) == before


def test_a_dry_run_counts_estimates_and_prices_without_a_key_and_leaves_nothing(tmp_path: Path) -> None:
    lines = [request(f"q-{n}", messages=[{"role": "user", "content": "x" * 4000}]) for n in range(3)]
    lines.append(request("other", model="claude-unheard-of"))
    (tmp_path / "my.jsonl").write_text("\n".join(lines))
    done = streamer("submit", "my.jsonl", "--dry-run", "--max-requests", "3", cwd=tmp_path, key=None)
    assert done.returncode == 0
    whole, first, second, known, unknown = done.stdout.splitlines()
    assert whole.startswith("4 requests in 2 batches, ")
    assert "batch 1: 3 requests" in first
    assert "batch 2: 1 request" in second
    assert known == (  # 3,000 tokens of 2 USD and 48 of 10 USD a million
        "claude-opus-5-5: about 3,000 input tokens, at most 48 output tokens, from $0.0060 to $0.0065 at batch price"
    )
    assert "no price" in unknown
    assert [path.name for path in tmp_path.iterdir()] == ["my.jsonl"]


def test_a_dry_run_takes_requests_from_stdin(tmp_path: Path) -> None:
    done = streamer("submit", "-", "--dry-run", cwd=tmp_path, key=None, stdin=request("a"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 request in 1 batch, ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [".", "/", ""])
@pytest.mark.parametrize("words", [["--dry-run"], []])
def test_a_name_that_no_file_can_have_is_told(tmp_path: Path, name: str, words: list[str]) -> None:
    done = streamer("submit", name, *words, cwd=tmp_path, base_url="http://127.0.0.1:9")
    assert done.returncode == 2
    assert "is a directory; name the files of requests in it" in done.stderr


def test_what_may_not_be_meant_is_told_before_anything_is_sent(tmp_path: Path, emulator: RunningEmulator) -> None:
    template = PARAMS | {
        "model": "claude-3-opus-20240229",
        "messages": [{"role": "user", "content": "Classify: {item}"}],
    }
    (tmp_path / "params.json").write_text(json.dumps(template))
    (tmp_path / "my.csv").write_text('item\napple\n" "\n')
    words = ("submit", "my.csv", "--template", "params.json")
    for more in (["--dry-run"], []):
        done = streamer(*words, *more, cwd=tmp_path, base_url=emulator.base_url)
        assert done.returncode == 0
        model, row = done.stderr.splitlines()
        assert model == (
            "streamer: warning: the model claude-3-opus-20240229 ended on 5 January 2026: requests to it come back "
            "errored"
        )
        assert row == "streamer: warning: my.csv: 1 row left out, with no value in 'item': line 3"
    assert streamer(*words, "-q", cwd=tmp_path, base_url=emulator.base_url).stderr == ""


def test_no_upper_end_is_claimed_where_a_size_is_not_known(tmp_path: Path) -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    (tmp_path / "my.jsonl").write_text(request("a", messages=[{"role": "user", "content": [image]}]))
    done = streamer("submit", "my.jsonl", "--dry-run", cwd=tmp_path, key=None)
    assert done.stdout.splitlines()[-1] == (
        "claude-opus-5-5: about 0 input tokens, at most 16 output tokens (without 1 of the images and documents, whose "
        "size the requests do not tell), from $0.0000 up at batch price"
    )


def test_a_dry_run_of_faulty_requests_is_2(tmp_path: Path) -> None:
    (tmp_path / "my.jsonl").write_text("no json")
    done = streamer("submit", "my.jsonl", "--dry-run", cwd=tmp_path, key=None)
    assert done.returncode == 2
    assert "my.jsonl, line 1" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["my.jsonl"]


def test_a_probe_finds_what_the_api_refuses_before_anything_is_submitted(
    tmp_path: Path, emulator: RunningEmulator
) -> None:
    lines = [request("a"), request("b", thinking={"type": "enabled", "budget_tokens": 5000}), request("c")]
    (tmp_path / "my.jsonl").write_text("\n".join(lines))
    before = sent(emulator)
    words = ("submit", "my.jsonl", "--probe", "3")
    done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 1
    refused, last = done.stderr.splitlines()
    assert "requests.jsonl, line 2" in refused
    assert "'b'" in refused
    assert "budget_tokens" in refused
    assert "1 of the 3 requests" in last
    assert sent(emulator) == before

    (tmp_path / "my.jsonl").write_text("\n".join([request("a"), request("b"), request("c")]))
    right = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert (right.returncode, right.stderr) == (0, "")
    probed = emulator.stats()["requests"]["message"]
    assert probed == 6
    streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert emulator.stats()["requests"]["message"] == probed  # what is sent already needs no probe


def test_a_prefix_that_requests_share_is_told_with_what_it_is_worth(tmp_path: Path, emulator: RunningEmulator) -> None:
    lines = [request(f"q-{n}", system="You are a careful reader. " * 400) for n in range(20)]
    (tmp_path / "my.jsonl").write_text("\n".join(lines))
    told = streamer("submit", "my.jsonl", cwd=tmp_path, base_url=emulator.base_url)
    assert told.returncode == 0
    assert "no cache_control" in told.stderr
    assert "worth up to $0.0" in told.stderr
    quiet = streamer("submit", "my.jsonl", "-q", cwd=tmp_path, base_url=emulator.base_url)
    assert quiet.stderr == ""


@pytest.mark.parametrize("fault", ["create:fin@head,n=1", "create:status=500;accepted,n=1"])
def test_a_create_that_times_out_after_it_was_accepted_makes_no_second_batch(tmp_path: Path, fault: str) -> None:
    (tmp_path / "my.jsonl").write_text("\n".join(request(f"q-{n}") for n in range(4)))
    with running(duration=3600, fault=(fault,)) as emulator:
        words = ("submit", "my.jsonl", "--max-requests", "2")
        done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
        assert done.returncode == 0
        assert "it was created: it is msgbatch_" in done.stderr
        assert done.stdout.splitlines() == listed(emulator)[::-1]
        assert sent(emulator)[:2] == (2, 0)
