"""From request files to one file of answers, as somebody's program does it."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from streamer.answers.resubmission import Resubmission
from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.emulator.running import RunningEmulator
from streamer.errors import ConfigurationError, StorageError, SubmissionError
from streamer.observer import ProcessObserver
from streamer.progress import Progress
from streamer.project.options import ProcessOptions
from streamer.project.process import process
from streamer.report import ProcessReport
from streamer.requests.problems import InvalidRequestsError
from streamer.requests.spool import Spool
from tests.clock import FakeClock
from tests.emulated import emulated
from tests.leftovers import nothing_left

NOBODY = "http://127.0.0.1:9"  # where nobody listens
FAST = {"retry_after": 0, "record_bytes": 300}
FAILING = {**FAST, "mix": "succeeded=0.95,errored=0.04,expired=0.01"}
FOR_GOOD = {"invalid_request_error", "billing_error", "authentication_error", "permission_error"}
FOR_NOW = {"api_error", "overloaded_error", "rate_limit_error", "timeout_error"}


def articles(path: Path, number: int, **changes: Any) -> Path:
    """A request file: summarise so many articles."""
    with path.open("w") as file:
        for n in range(number):
            prompt = f"Summarise article {n}: {'word ' * (n % 50)}"
            params = {
                "model": "claude-haiku-5-5",
                "max_tokens": 64,
                "messages": [{"role": "user", "content": prompt}],
                **changes,
            }
            file.write(json.dumps({"custom_id": f"article-{n}", "params": params}) + "\n")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def created(emulator: RunningEmulator) -> int:
    return int(emulator.stats()["batches_created"])


class Heard(ProcessObserver):
    """Remembers what was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.steps: list[Progress] = []

    def working(self, progress: Progress) -> None:
        assert not progress.over
        self.steps.append(progress)

    def prepared(self, spool: Spool) -> None:
        self.told.append(f"prepared {spool.requests} in {len(spool.slices)}")

    def held_up(self, error: SubmissionError) -> None:
        self.told.append("held up")

    def sending_again(self, attempt: int, again: Resubmission) -> None:
        self.told.append(f"attempt {attempt}: {sum(again.again.values())}")


async def test_a_thousand_articles_become_one_json_file_of_answers_in_their_order(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 1000)
    heard = Heard()
    async with emulated(**FAST) as (emulator, api, clock):
        to = str(tmp_path / "summaries.json")
        fields = ["params.messages.0.content"]
        report = await process(
            api, [file], to, ProcessOptions(max_requests=300, fields=fields), observer=heard, clock=clock
        )
        assert created(emulator) == 4
    summaries = json.loads((tmp_path / "summaries.json").read_text())
    assert [summary["custom_id"] for summary in summaries] == [f"article-{n}" for n in range(1000)]
    assert summaries[7]["input"] == {"params.messages.0.content": "Summarise article 7: " + "word " * 7}
    assert summaries[7]["result"]["message"]["content"][0]["text"]
    assert report.complete
    assert (report.requests, report.answers, report.attempts) == (1000, {"succeeded": 1000}, 1)
    assert report.usage["claude-haiku-5-5"].requests == 1000
    assert heard.told == ["prepared 1000 in 4"]
    works = [str(progress.work) for progress in heard.steps]
    assert works == ["checking", *["sending"] * 4, "reading", "choosing", "joining"]
    assert all(progress.over and progress.done == progress.total > 0 for progress in heard.steps)
    assert [progress.total for progress in heard.steps if progress.work in {"choosing", "joining"}] == [1000, 1000]
    assert sorted(path.name for path in (tmp_path / "articles.jsonl.streamer").iterdir()) == [
        "ledger.sqlite",
        "requests.jsonl",
        "results",
    ]


async def test_what_fails_is_sent_again_until_every_request_has_its_answer(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 1000)
    heard = Heard()
    async with emulated(**FAILING) as (emulator, api, clock):
        to = str(tmp_path / "answers.jsonl")
        report = await process(
            api, [file], to, ProcessOptions(max_requests=300, retries=5), observer=heard, clock=clock
        )
        stats = emulator.stats()
    answers = lines(tmp_path / "answers.jsonl")
    assert [answer["custom_id"] for answer in answers] == [f"article-{n}" for n in range(1000)]
    # Requests failed in every way there is; what is left failed in one that no other try mends.
    assert {error for batch in report.batches for error in batch.errors} == FOR_NOW | FOR_GOOD
    assert set(report.errors) == FOR_GOOD
    assert report.complete
    assert report.answers.keys() == {"succeeded", "errored"}
    assert sum(report.answers.values()) == 1000
    assert 1 < report.attempts <= 6
    assert report.sent_again == sum(int(told.split(": ")[1]) for told in heard.told[1:])
    assert stats["batches_created"] == 4 + report.attempts - 1
    assert report.usage["claude-haiku-5-5"].requests == report.answers["succeeded"]


async def test_when_no_more_is_sent_again_what_is_left_to_do_is_told_and_can_be_done(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 200)
    to = str(tmp_path / "answers.jsonl")
    async with emulated(**FAST, mix="succeeded=0.5,expired=0.5") as (emulator, api, clock):
        report = await process(api, [file], to, ProcessOptions(retries=0), clock=clock)
        assert (report.complete, report.retryable, report.attempts) == (False, 100, 1)
        assert len(lines(tmp_path / "answers.jsonl")) == 200
        report = await process(api, [file], to, ProcessOptions(retries=20), clock=clock)
        assert report.complete
        assert report.answers == {"succeeded": 200}
        assert created(emulator) == report.attempts


async def test_done_and_called_again_it_sends_nothing_and_the_answers_are_as_they_were(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 100)
    to = tmp_path / "answers.jsonl"
    async with emulated(**FAILING) as (emulator, api, clock):
        first = await process(api, [file], str(to), clock=clock)
        before, stats = to.read_bytes(), emulator.stats()
        again = await process(api, [file], str(to), clock=clock)
        assert emulator.stats()["requests"] == stats["requests"] | {"stats": stats["requests"]["stats"] + 1}
    assert to.read_bytes() == before
    assert again.http_requests == 0
    assert (again.answers, again.usage) == (first.answers, first.usage)


async def test_other_requests_are_never_taken_for_those_of_the_project(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 10)
    to = str(tmp_path / "answers.jsonl")
    async with emulated(**FAST) as (emulator, api, clock):
        await process(api, [file], to, clock=clock)
        before = (tmp_path / "answers.jsonl").read_bytes()
        articles(file, 10, max_tokens=65)
        with pytest.raises(ConfigurationError, match="10 of the requests were sent with other params before"):
            await process(api, [file], to, clock=clock)
        assert created(emulator) == 1
        articles(file, 10)
        assert (await process(api, [file], to, clock=clock)).complete
    assert (tmp_path / "answers.jsonl").read_bytes() == before


async def test_cancelled_in_mid_flight_what_came_is_kept_and_nothing_is_sent_again(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 100)

    class Canceling(ProcessObserver):
        """Cancels every batch when half of its time is over, as somebody at a terminal would."""

        def __init__(self, api: Client, clock: FakeClock) -> None:
            self._api, self._clock = api, clock
            self.canceling: dict[str, asyncio.Task[Batch]] = {}

        def polled(self, batch: Batch) -> None:
            if self._clock.monotonic() > 30 and batch.id not in self.canceling:
                self.canceling[batch.id] = asyncio.create_task(self._api.cancel(batch.id))

    async with emulated(**FAST, duration=100, duration_spread=0) as (emulator, api, clock):
        observer = Canceling(api, clock)
        report = await process(
            api,
            [file],
            str(tmp_path / "answers.jsonl"),
            ProcessOptions(max_requests=50),
            observer=observer,
            clock=clock,
        )
        await asyncio.gather(*observer.canceling.values())
        assert created(emulator) == 2
    kept = lines(tmp_path / "answers.jsonl")
    assert [answer["custom_id"] for answer in kept] == [f"article-{n}" for n in range(100)]
    assert report.answers["succeeded"] > 10
    assert report.answers["canceled"] > 10
    assert report.complete  # nobody wants the others any more


async def test_interrupted_at_any_request_the_same_call_goes_on_and_no_batch_is_created_twice(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 120)
    to = tmp_path / "answers.jsonl"
    async with emulated(**FAST, mix="succeeded=0.8,errored=0.1,expired=0.1") as (emulator, api, clock):

        async def interrupted_at(request: int) -> ProcessReport | None:
            """Cancel it when so many requests were sent; its report when it had ended before."""
            before = api.requests
            task = asyncio.create_task(
                process(api, [file], str(to), ProcessOptions(max_requests=50, retries=9), clock=clock)
            )
            while not task.done() and api.requests - before < request:  # noqa: ASYNC110 - nothing tells of a request
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                return await task
            return None

        reports = [await interrupted_at(1 + n) for n in range(12)]
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("streamer")]
        report = reports[-1] or await process(
            api, [file], str(to), ProcessOptions(max_requests=50, retries=9), clock=clock
        )
        stats = emulator.stats()
    assert report.complete
    assert [answer["custom_id"] for answer in lines(to)] == [f"article-{n}" for n in range(120)]
    # 3 for 120 requests, and one for each further attempt.
    assert stats["batches_created"] == 3 + report.attempts - 1
    assert reports[0] is None


async def test_batches_made_elsewhere_are_adopted_and_only_what_failed_in_them_is_sent(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 100)
    requests = lines(file)
    async with emulated(**FAILING) as (emulator, api, clock):
        ids = [(await api.create(part)).id for part in (requests[:60], requests[60:])]
        to = str(tmp_path / "answers.jsonl")
        report = await process(api, [file], to, ProcessOptions(batch_ids=ids, retries=5), clock=clock)
        assert report.complete
        assert created(emulator) == 2 + report.attempts - 1
        assert report.attempts > 1
        again = await process(api, [file], to, ProcessOptions(batch_ids=ids, retries=5), clock=clock)
        assert again.http_requests == 0
    assert [answer["custom_id"] for answer in lines(tmp_path / "answers.jsonl")] == [f"article-{n}" for n in range(100)]


async def test_a_create_that_is_refused_ends_it_after_the_others_are_delivered(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 100)
    heard = Heard()
    to = tmp_path / "answers.jsonl"
    async with emulated(**FAST, fault=("create:status=400,after=1,n=1",)) as (emulator, api, clock):
        with pytest.raises(SubmissionError, match="1 of 2 batches are created"):
            await process(api, [file], str(to), ProcessOptions(max_requests=50), observer=heard, clock=clock)
        assert heard.told == ["prepared 100 in 2", "held up"]
        assert len(list((tmp_path / "articles.jsonl.streamer" / "results").glob("*.jsonl"))) == 1
        assert not to.exists()
        report = await process(api, [file], str(to), ProcessOptions(max_requests=50), clock=clock)
        assert report.complete
        assert created(emulator) == 2
    assert len(lines(to)) == 100


async def test_a_create_that_times_out_after_it_was_accepted_makes_no_second_batch(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 100)
    async with emulated(**FAST, fault=("create:fin@head,n=2",)) as (emulator, api, clock):
        report = await process(
            api, [file], str(tmp_path / "answers.jsonl"), ProcessOptions(max_requests=50), clock=clock
        )
        assert report.complete
        assert created(emulator) == 2
    assert len(lines(tmp_path / "answers.jsonl")) == 100


@pytest.mark.parametrize("status", [307, 400, 403, 413, 499])
@pytest.mark.parametrize("accepted", ["", ";accepted"])
async def test_a_page_of_something_in_between_never_ends_it_and_each_batch_is_paid_once(
    tmp_path: Path, status: int, accepted: str
) -> None:
    file = articles(tmp_path / "articles.jsonl", 100)
    page = f"body=html;status={status}"
    faults = (f"create:{page}{accepted},n=1", *(f"{operation}:{page},n=2" for operation in ("list", "poll", "results")))
    async with emulated(**FAST, fault=faults) as (emulator, api, clock):
        report = await process(
            api, [file], str(tmp_path / "answers.jsonl"), ProcessOptions(max_requests=50), clock=clock
        )
        assert report.complete
        assert created(emulator) == 2
    assert len(lines(tmp_path / "answers.jsonl")) == 100


async def test_results_that_are_gone_are_told_and_their_requests_not_sent_again(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 100)
    async with emulated(**FAST, fault=("results:status=404,per=batch",)) as (emulator, api, clock):
        report = await process(
            api, [file], str(tmp_path / "answers.jsonl"), ProcessOptions(max_requests=50), clock=clock
        )
        assert created(emulator) == 2  # what is lost was paid for: only somebody can decide to pay again
    assert (report.complete, report.missing, report.missing_ids[:2]) == (False, 100, ["article-0", "article-1"])
    assert [batch.outcome for batch in report.batches] == ["failed", "failed"]
    assert lines(tmp_path / "answers.jsonl") == []


@pytest.mark.parametrize("options", [{"retries": -1}, {"files": "requests.jsonl"}, {"fields": "params.model"}])
async def test_arguments_that_cannot_work_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    given = dict(options)
    files = given.pop("files", [articles(tmp_path / "articles.jsonl", 1)])
    async with Client(api_key="test-key", base_url=NOBODY) as api:
        with pytest.raises(ConfigurationError):
            await process(api, files, str(tmp_path / "answers.jsonl"), ProcessOptions(**given))
        assert api.requests == 0


async def test_what_cannot_work_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    file = articles(tmp_path / "articles.jsonl", 3)
    bad = articles(tmp_path / "bad.jsonl", 1, stream=True)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    to = tmp_path / "answers.jsonl"
    before = sorted(tmp_path.iterdir())
    async with Client(api_key="test-key", base_url=NOBODY) as api, nothing_left():
        with pytest.raises(InvalidRequestsError):
            await process(api, [file, bad], to)
        with pytest.raises(ConfigurationError, match="is a directory"):
            await process(api, [file], tmp_path / "folder")
        with pytest.raises(StorageError, match="a file where a directory should be"):
            await process(api, [file], tmp_path / "file" / "answers.jsonl")
        with pytest.raises(ConfigurationError, match=r"articles\.jsonl, which they need, would be lost"):
            await process(api, [file], file)
        half = file.rename(tmp_path / "answers.jsonl.part")
        with pytest.raises(ConfigurationError, match=r"answers\.jsonl\.part, which they need, would be lost"):
            await process(api, [half], to)
        half.rename(file)
        for kept in ("requests.jsonl", "ledger.sqlite", "retry-2.jsonl", "results/msgbatch_1.jsonl", ""):
            with pytest.raises(ConfigurationError, match=r"which the project .* keeps for itself"):
                await process(api, [file], tmp_path / "project" / kept, ProcessOptions(project=tmp_path / "project"))
        assert sorted(tmp_path.iterdir()) == before
        with pytest.raises(ConfigurationError, match="there is no field 'title'"):
            await process(api, [file], to, ProcessOptions(fields=["title"]))
        assert api.requests == 0
    assert not to.exists()


@pytest.mark.parametrize("lost", [True, False])
async def test_a_directory_with_such_files_and_no_ledger_is_no_project(tmp_path: Path, lost: bool) -> None:
    asked = articles(tmp_path / "asked.jsonl", 3)
    project = tmp_path / "project"
    async with emulated(**FAST) as (emulator, client, clock):
        if lost:  # with the ledger: then nobody knows what was paid for already
            await process(client, [asked], tmp_path / "a.jsonl", ProcessOptions(project=project), clock=clock)
            (project / "ledger.sqlite").unlink()
        else:
            project.mkdir()
            (project / "fields.jsonl").write_text("somebody's own")
        before = {file: file.read_bytes() for file in project.glob("*.jsonl")}
        sent = created(emulator)
        with pytest.raises(ConfigurationError, match=r"has a file .* and no ledger"):
            await process(client, [asked], tmp_path / "a.jsonl", ProcessOptions(project=project), clock=clock)
        assert {file: file.read_bytes() for file in project.glob("*.jsonl")} == before
        assert created(emulator) == sent
