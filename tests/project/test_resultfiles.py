"""Results that are there are held against what was delivered, and what is written takes nobody else's place."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.errors import ConfigurationError, StorageError
from streamer.observer import ProcessObserver
from streamer.project.options import ProcessOptions
from streamer.project.process import process
from streamer.report import BatchReport
from tests.clock import FakeClock
from tests.emulated import emulated
from tests.project.test_extension import FAST, answers, request, write


def first_result(folder: Path) -> Path:
    return min((folder / "requests.jsonl.streamer" / "results").glob("*.jsonl"))


def lose_a_line(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_ids(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"q-', b'"x-'))


def other_types(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    lines[0] = b'{"custom_id":"%s","result":{"type":"expired"}}' % json.loads(lines[0])["custom_id"].encode()
    path.write_bytes(b"\n".join(lines) + b"\n")


def a_record_twice(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[0]]))


def broken(path: Path) -> None:
    path.write_bytes(b"rubbish\n" + path.read_bytes())


DAMAGES = [lose_a_line, empty, other_ids, other_types, a_record_twice, broken]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_results_that_are_not_what_was_delivered_are_fetched_again_and_that_is_told(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    file = write(tmp_path / "requests.jsonl", *(request(f"q-{n}") for n in range(30)))
    to = tmp_path / "answers.jsonl"
    async with emulated(**FAST) as (emulator, api, clock):
        await process(api, [file], to, ProcessOptions(max_requests=20), clock=clock)
        before, path = to.read_bytes(), first_result(tmp_path)
        whole = path.read_bytes()
        damage(path)
        with caplog.at_level(logging.WARNING, "streamer.project"):
            report = await process(api, [file], to, ProcessOptions(max_requests=20), clock=clock)
        assert report.complete
        assert str(path) in caplog.text
        assert "fetched again" in caplog.text
        assert (to.read_bytes(), path.read_bytes()) == (before, whole)
        assert sorted(one.name for one in path.parent.iterdir()) == sorted(
            f"{batch.id}.jsonl" for batch in [one async for one in api.list()]
        )
        assert (await process(api, [file], to, ProcessOptions(max_requests=20), clock=clock)).http_requests == 0
        assert emulator.stats()["batches_created"] == 2


async def test_where_they_cannot_be_had_again_what_is_left_stays_and_nothing_is_taken_for_whole(tmp_path: Path) -> None:
    file = write(tmp_path / "requests.jsonl", *(request(f"q-{n}") for n in range(10)))
    to = tmp_path / "answers.jsonl"
    async with emulated(**FAST, fault=("results:status=404,after=1",)) as (_, api, clock):
        await process(api, [file], to, clock=clock)
        before, path = to.read_bytes(), first_result(tmp_path)
        lose_a_line(path)
        left = path.read_bytes()
        with pytest.raises(StorageError, match=r"it holds 9 records where 10 were delivered.*cannot be had again"):
            await process(api, [file], to, clock=clock)
        assert (to.read_bytes(), path.read_bytes()) == (before, left)


@asynccontextmanager
async def miscounting(upstream: str, clock: FakeClock) -> AsyncIterator[Client]:
    """A client of an API whose ended batches count two more successes than they have."""

    async def handle(request: web.Request) -> web.Response:
        headers = {name: request.headers[name] for name in ("x-api-key", "anthropic-version")}
        async with session.request(
            request.method, upstream + request.path_qs, data=await request.read(), headers=headers
        ) as answer:
            body = (await answer.read()).replace(b'"succeeded":10', b'"succeeded":12')
            body = body.replace(upstream.encode(), base_url.encode())
            return web.Response(body=body, status=answer.status, content_type=answer.content_type)

    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base_url = "http://{}:{}".format(*runner.addresses[0][:2])
        options = ClientOptions(requests_per_minute=100_000, rebase_results=True)
        yield await stack.enter_async_context(Client(api_key="k", base_url=base_url, clock=clock, options=options))


async def test_counts_that_stay_wrong_are_told_once_where_every_request_has_its_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Heard(ProcessObserver):
        def __init__(self) -> None:
            self.finished_as: list[str] = []

        def finished(self, report: BatchReport) -> None:
            self.finished_as.append(f"{report.outcome} {report.error}")

    file = write(tmp_path / "requests.jsonl", *(request(f"q-{n}") for n in range(10)))
    to = tmp_path / "answers.jsonl"
    heard = Heard()
    async with emulated(**FAST) as (emulator, _, clock), miscounting(emulator.base_url, clock) as api:
        with caplog.at_level(logging.WARNING, "streamer.project"):
            report = await process(api, [file], to, observer=heard, clock=clock)
        assert report.complete
        assert heard.finished_as == ["delivered "]
        assert caplog.text.count("the counts disagree: got 10 of 12 records") == 1
        assert len(answers(to)) == 10
        caplog.clear()
        again = await process(api, [file], to, observer=heard, clock=clock)
        assert (again.complete, again.http_requests, caplog.text) == (True, 0, "")


async def test_a_file_that_is_not_the_projects_own_is_not_replaced(tmp_path: Path) -> None:
    async with emulated(**FAST) as (emulator, api, clock):
        to = tmp_path / "same.jsonl"
        first = write(tmp_path / "requests.jsonl", request("a"))
        other = write(tmp_path / "others.jsonl", request("b"))
        await process(api, [first], to, clock=clock)
        paid = to.read_bytes()
        with pytest.raises(ConfigurationError, match=r"same\.jsonl is there already and is not what the project"):
            await process(api, [other], to, clock=clock)
        assert to.read_bytes() == paid
        assert emulator.stats()["batches_created"] == 1
        (tmp_path / "empty.jsonl").touch()
        await process(api, [other], tmp_path / "empty.jsonl", clock=clock)
        to.write_bytes(paid + b"a line of somebody's own\n")
        with pytest.raises(ConfigurationError, match="move it away"):
            await process(api, [first], to, clock=clock)


@pytest.mark.parametrize("to", ["s3://bucket/x.jsonl", "gs:x", "callback:module:function", "out/{batch_id}.jsonl"])
async def test_a_target_that_is_no_file_is_refused(tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / "requests.jsonl", request("a"))
    async with emulated(**FAST) as (emulator, api, clock):
        with pytest.raises(ConfigurationError, match="the answers cannot go to"):
            await process(api, [file], to, clock=clock)
        assert emulator.stats()["batches_created"] == 0
    assert [one.name for one in tmp_path.iterdir()] == ["requests.jsonl"]
