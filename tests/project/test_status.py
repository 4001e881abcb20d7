"""Where a project stands: looked at beside whoever works in it, changing nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.errors import ConfigurationError, SubmissionError
from streamer.project.options import ProcessOptions, SubmitOptions
from streamer.project.process import process
from streamer.project.project import Project
from streamer.project.status import status
from streamer.project.submit import submit
from streamer.submission.ledger import Ledger
from tests.emulated import emulated
from tests.project.test_extension import FAST, request, write


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


async def test_a_project_on_its_way_says_how_far_each_batch_is_and_what_comes_next(tmp_path: Path) -> None:
    file = write(tmp_path / "requests.jsonl", *(request(f"q-{n}") for n in range(5)))
    project = tmp_path / "requests.jsonl.streamer"
    async with emulated(**FAST, duration=3600, fault=("create:status=400,after=2,n=1",)) as (_, api, clock):
        with pytest.raises(SubmissionError):
            await submit(api, [file], SubmitOptions(max_requests=2), clock=clock)
        before = contents(project)
        offline = await status(project)
        assert [(str(one.state), one.requests, one.api) for one in offline.batches] == [
            ("created", 2, None),
            ("created", 2, None),
            ("planned", 1, None),
        ]
        assert (offline.requests, offline.missing, offline.answers) == (5, 5, {})
        assert offline.missing_ids == [f"q-{n}" for n in range(5)]
        assert offline.next == ["create 1 batch of 1 request", "wait for 2 batches, and fetch the results"]
        asked = await status(project, api)
        assert [one.api and one.api.processing_status for one in asked.batches] == ["in_progress", "in_progress", None]
        assert contents(project) == before


async def test_a_done_project_needs_nothing_and_says_what_it_cost(tmp_path: Path) -> None:
    file = write(tmp_path / "requests.jsonl", *(request(f"q-{n}") for n in range(20)))
    project = tmp_path / "requests.jsonl.streamer"
    async with emulated(**FAST, mix="succeeded=0.5,expired=0.5") as (_, api, clock):
        report = await process(api, [file], tmp_path / "a.jsonl", ProcessOptions(retries=0), clock=clock)
        found = await status(project)
        assert (found.answers, found.missing, found.retryable) == (report.answers, 0, 10)
        assert found.next == ["send 10 requests again that failed, with --retry 1 or more"]
        report = await process(api, [file], tmp_path / "a.jsonl", ProcessOptions(retries=30), clock=clock)
        found = await status(project)
        assert (found.answers, found.usage) == ({"succeeded": 20}, report.usage)
        assert all(one.delivered for one in found.batches)
        assert found.next == ["write the answers and send nothing: every request has one"]
        path = next((project / "results").glob("*.jsonl"))
        path.write_bytes(path.read_bytes().split(b"\n", 1)[1])
        found = await status(project)
        assert "records where" in max(one.wrong for one in found.batches)
        assert found.next == ["fetch the results of 1 batch again, which are not what came"]


async def test_whoever_works_is_not_held_up_and_a_lock_that_was_left_behind_is_none(tmp_path: Path) -> None:
    file = write(tmp_path / "requests.jsonl", request("a"))
    directory = tmp_path / "requests.jsonl.streamer"
    async with emulated(**FAST, duration=3600) as (_, api, clock):
        await submit(api, [file], clock=clock)
        project = Project(directory)
        project.ledger.batches()
        found = await status(directory)
        assert found.in_use
        project.ledger.add_facts("still", ["mine"])  # reading took no lock away
        script = "import sys; from streamer.submission.ledger import Ledger; Ledger(sys.argv[1]).batches()"
        other = [sys.executable, "-c", script, str(directory)]
        done = await asyncio.to_thread(subprocess.run, other, capture_output=True, text=True, check=False)
        assert "in use" in done.stderr
        project.close()
        (directory / "ledger.sqlite.lock").touch()
        assert not (await status(directory)).in_use


async def test_what_is_no_project_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"is no project: it has no ledger\.sqlite"):
        await status(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "ledger.sqlite").write_bytes(b"rubbish" * 1000)
    with pytest.raises(SubmissionError, match=rf"the ledger {tmp_path}.* cannot be trusted"):
        await status(tmp_path)


async def test_an_api_elsewhere_is_not_asked(tmp_path: Path) -> None:
    file = write(tmp_path / "requests.jsonl", request("a"))
    async with emulated(**FAST, duration=3600) as (_, api, clock), emulated(**FAST) as (_, other, _):
        await submit(api, [file], clock=clock)
        with pytest.raises(ConfigurationError, match=f"created at {api.address}"):
            await status(tmp_path / "requests.jsonl.streamer", other)


async def test_an_open_create_is_what_comes_first(tmp_path: Path) -> None:
    file = write(tmp_path / "requests.jsonl", request("a"))
    directory = tmp_path / "requests.jsonl.streamer"
    async with emulated(**FAST, duration=3600) as (_, api, clock):
        await submit(api, [file], clock=clock)
    ledger = Ledger(directory)
    ledger.plan(2, "retry-2.jsonl", "digest", [ledger.batches()[0].slice], retry=True)
    ledger.intend(2, 5.0)
    ledger.close()
    assert (await status(directory)).next[0] == "look whether batch 2 was created, and create it if not"
