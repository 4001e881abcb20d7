"""Requests that come, change or go after some of them were sent: what is new is sent alone."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from streamer.emulator.running import RunningEmulator
from streamer.errors import ConfigurationError, SubmissionError
from streamer.project.options import ProcessOptions, SubmitOptions
from streamer.project.process import process
from streamer.project.submit import submit
from streamer.requests.changes import NAMED, Changes, Difference, SentRequests
from streamer.submission.ledger import Ledger
from tests.clock import FakeClock
from tests.emulated import emulated

FAST = {"retry_after": 0, "record_bytes": 300}


def request(custom_id: str, text: str = "") -> dict[str, Any]:
    content = text or f"about {custom_id}"
    params = {"model": "claude-haiku-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": content}]}
    return {"custom_id": custom_id, "params": params}


def write(path: Path, *requests: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in requests))
    return path


def answers(path: Path) -> dict[str, str]:
    """The answer to each request, in the order of the file."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return {one["custom_id"]: one["result"]["message"]["id"] for one in found}


class Job:
    """A file of requests that is processed again and again."""

    def __init__(self, folder: Path, emulator: RunningEmulator, api: Any, clock: FakeClock) -> None:
        self.file = folder / "requests.jsonl"
        self.to = folder / "answers.jsonl"
        self._emulator, self._api, self._clock = emulator, api, clock
        self._batches = 0

    async def run(
        self, *requests: dict[str, Any], complete: bool = True, **options: Any
    ) -> tuple[dict[str, str], list[int]]:
        """The answers, and how many requests each batch has that was created for them."""
        write(self.file, *requests)
        report = await process(self._api, [self.file], self.to, ProcessOptions(**options), clock=self._clock)
        assert report.complete is complete
        created = self._emulator.stats()["batches_created"]
        batches = [batch async for batch in self._api.list()]
        new = [batch.request_counts.total for batch in batches[: created - self._batches]]
        self._batches = created
        return answers(self.to), new[::-1]


A, B, C, D = map(request, "abcd")


async def test_what_is_appended_is_sent_alone(tmp_path: Path) -> None:
    async with emulated(**FAST) as (emulator, api, clock):
        job = Job(tmp_path, emulator, api, clock)
        first, batches = await job.run(A, B)
        assert batches == [2]
        second, batches = await job.run(A, B, C)
        assert batches == [1]
        assert list(second) == ["a", "b", "c"]
        assert {name: second[name] for name in first} == first
        third, batches = await job.run(A, D, B, C)
        assert (list(third), batches) == (["a", "d", "b", "c"], [1])
        assert await job.run(A, D, B, C) == (third, [])


async def test_another_order_is_no_other_requests(tmp_path: Path) -> None:
    async with emulated(**FAST) as (emulator, api, clock):
        job = Job(tmp_path, emulator, api, clock)
        first, _ = await job.run(A, B, C)
        again, batches = await job.run(C, A, B)
        assert (list(again), batches) == (["c", "a", "b"], [])
        assert again == first


async def test_changed_requests_are_named_and_refused_unless_they_are_to_be_sent_again(tmp_path: Path) -> None:
    changed = request("b", "something else")
    async with emulated(**FAST) as (emulator, api, clock):
        job = Job(tmp_path, emulator, api, clock)
        first, _ = await job.run(A, B, C)
        with pytest.raises(
            ConfigurationError, match=r"1 of the requests .* \('b'\); nothing is sent.*--changed resend"
        ):
            await job.run(A, changed, C, D)
        assert emulator.stats()["batches_created"] == 1
        second, batches = await job.run(A, changed, C, D, changed="resend")
        assert batches == [2]
        assert (second["a"], second["c"]) == (first["a"], first["c"])
        assert second["b"] != first["b"]
        assert await job.run(A, changed, C, D) == (second, [])
        with pytest.raises(ConfigurationError, match="'b'"):  # what it was before is another change
            await job.run(A, B, C, D)


async def test_the_old_answer_to_a_changed_request_is_never_given_for_the_new_one(tmp_path: Path) -> None:
    async with emulated(**FAST, fault=("results:status=404,after=1",)) as (emulator, api, clock):
        job = Job(tmp_path, emulator, api, clock)
        first, _ = await job.run(A, B)
        job.to = tmp_path / "others.jsonl"
        second, batches = await job.run(A, request("b", "else"), changed="resend", complete=False)
        assert batches == [1]
        assert second == {"a": first["a"]}


async def test_removed_requests_are_told_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with emulated(**FAST) as (emulator, api, clock):
        job = Job(tmp_path, emulator, api, clock)
        first, _ = await job.run(A, B, C)
        with caplog.at_level(logging.WARNING, "streamer.project"):
            second, batches = await job.run(A, C)
        assert "1 requests that were sent are not in the files any more ('b')" in caplog.text
        assert (second, batches) == ({name: first[name] for name in "ac"}, [])
        again, batches = await job.run(A, B, C)  # and back they come, paid for already
        assert (again, batches) == (first, [])


async def test_rows_that_are_appended_to_a_csv_keep_the_ids_before_them(tmp_path: Path) -> None:
    template = tmp_path / "params.json"
    template.write_text(json.dumps(request("x", "Classify: {item}")["params"]))
    table = tmp_path / "items.csv"
    to = tmp_path / "answers.jsonl"
    options = ProcessOptions(template=template, fields=["item"])
    async with emulated(**FAST) as (emulator, api, clock):
        table.write_text("item\nlamp\nchair\n")
        await process(api, [table], to, options, clock=clock)
        first = answers(to)
        table.write_text("item\nlamp\nchair\ntable\n")
        await process(api, [table], to, options, clock=clock)
        assert list(answers(to)) == ["request-1", "request-2", "request-3"]
        assert first.items() <= answers(to).items()
        items = [json.loads(line)["input"]["item"] for line in to.read_text().splitlines()]
        assert items == ["lamp", "chair", "table"]
        assert emulator.stats()["batches_created"] == 2
        table.write_text("item\nsofa\nlamp\nchair\ntable\n")  # all others move
        with pytest.raises(ConfigurationError, match="new rows belong at the end where custom_ids are made"):
            await process(api, [table], to, options, clock=clock)
        table.write_text("item\nlamp\nchair\ntable\n")
        template.write_text(json.dumps(request("x", "Sort: {item}")["params"]))
        with pytest.raises(ConfigurationError, match=r"the template .*params\.json is not the one"):
            await process(api, [table], to, options, clock=clock)
        assert emulator.stats()["batches_created"] == 2


async def test_what_was_planned_and_never_sent_goes_with_what_is_new(tmp_path: Path) -> None:
    file = write(tmp_path / "requests.jsonl", *(request(f"q-{n}") for n in range(4)))
    async with emulated(**FAST, fault=("create:status=400,after=1,n=1",)) as (emulator, api, clock):
        with pytest.raises(SubmissionError, match="1 of 2 batches are created"):
            await submit(api, [file], SubmitOptions(max_requests=2), clock=clock)
        write(file, *(request(f"q-{n}") for n in range(6)))
        ids = await submit(api, [file], SubmitOptions(max_requests=100), clock=clock)
        assert [(await api.retrieve(one)).requests for one in ids] == [2, 4]
        report = await process(api, [file], tmp_path / "answers.jsonl", clock=clock)
        assert report.complete
        assert list(answers(tmp_path / "answers.jsonl")) == [f"q-{n}" for n in range(6)]
        assert emulator.stats()["batches_created"] == 2


async def test_failures_of_old_and_new_requests_are_sent_again(tmp_path: Path) -> None:
    async with emulated(**FAST, mix="succeeded=0.6,expired=0.4") as (_, api, clock):
        file = write(tmp_path / "requests.jsonl", *(request(f"q-{n}") for n in range(40)))
        to = tmp_path / "answers.jsonl"
        await process(api, [file], to, ProcessOptions(retries=1), clock=clock)
        write(file, *(request(f"q-{n}") for n in range(60)))
        report = await process(api, [file], to, ProcessOptions(retries=30), clock=clock)
        assert report.complete
        assert report.answers == {"succeeded": 60}
        assert list(answers(to)) == [f"q-{n}" for n in range(60)]


@pytest.mark.parametrize("moment", ["rename_spool", "extend", "plan"])
async def test_killed_while_it_is_extended_the_same_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    class Killed(BaseException):
        pass

    async with emulated(**FAST) as (emulator, api, clock):
        job = Job(tmp_path, emulator, api, clock)
        first, _ = await job.run(A, B)
        for after in (True, False):
            true = getattr(Ledger, moment)

            def struck(*args: Any, after: bool = after, true: Any = true, **kwargs: Any) -> None:
                if after:
                    true(*args, **kwargs)
                raise Killed

            with monkeypatch.context() as patch:
                patch.setattr(Ledger, moment, struck)
                with suppress(Killed):
                    await job.run(A, B, C)
        second, _ = await job.run(A, B, C)
        assert list(second) == ["a", "b", "c"]
        assert first.items() <= second.items()
        assert emulator.stats()["batches_created"] == 2


def test_requests_are_told_apart_by_id_and_content(tmp_path: Path) -> None:
    changes = Changes()
    with SentRequests(tmp_path) as known:
        known.add([("a", b"1\n"), ("b", b"1\n"), ("c", b"1\n")])
        known.add([("b", b"2\n")])
        now = [("a", b"1"), ("b", b"1"), ("d", b"1")]
        found = []
        for custom_id, _, difference in known.compare(now):
            changes.count(custom_id, difference)
            found.append(difference)
        assert found == [Difference.SAME, Difference.CHANGED, Difference.NEW]
        assert list(known.removed()) == ["c"]
    assert (changes.same, changes.changed, changes.changed_ids, changes.new) == (1, 1, ["b"], 1)
    assert list(tmp_path.iterdir()) == []


def test_only_the_first_changed_ones_are_named(tmp_path: Path) -> None:
    changes = Changes()
    for n in range(NAMED + 50):
        changes.count(f"q-{n}", Difference.CHANGED)
    assert (changes.changed, len(changes.changed_ids)) == (NAMED + 50, NAMED)
