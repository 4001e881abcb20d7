"""Requests that the program itself has: taken in every form, kept nowhere, and never all when they break off."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message, TextBlock, ToolUseBlock, Usage
from anthropic.types.messages.batch_create_params import Request
from pydantic import BaseModel

from streamer.api.types import ContentBlock
from streamer.errors import ConfigurationError, StreamerError
from streamer.project.options import ProcessOptions, SubmitOptions
from streamer.project.process import process
from streamer.project.submit import submit
from streamer.requests.problems import InvalidRequestsError
from tests.emulated import emulated, tidily_emulated


def params(text: Any = "Hi") -> dict[str, Any]:
    return {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}


def request(number: int, text: Any = "Hi") -> dict[str, Any]:
    return {"custom_id": f"r-{number}", "params": params(text)}


class Mine(BaseModel):
    custom_id: str
    params: dict[str, Any]
    note: str | None = None  # never set, and so not sent


def models() -> list[Mine]:
    return [Mine(custom_id=f"r-{n}", params=params()) for n in range(3)]


def typed() -> list[Request]:
    return [Request(custom_id=f"r-{n}", params=params()) for n in range(3)]  # type: ignore[typeddict-item]


async def coming() -> AsyncIterator[dict[str, Any]]:
    for n in range(3):
        await asyncio.sleep(0)
        yield request(n)


FORMS: list[Callable[[], Any]] = [
    lambda: [request(n) for n in range(3)],
    lambda: tuple(request(n) for n in range(3)),
    lambda: (request(n) for n in range(3)),
    models,
    typed,
    coming,
    lambda: [json.dumps(request(n)).encode() for n in range(3)],
    lambda: [json.dumps(request(n), indent=2).encode() for n in range(3)],
]


@pytest.mark.parametrize("form", FORMS)
async def test_requests_are_taken_in_every_form_that_programs_have_them_in(
    tmp_path: Path, form: Callable[[], Any]
) -> None:
    async with tidily_emulated(duration=1) as (client, clock):
        for _ in range(2):  # the second one goes on, and sends nothing
            ids = await submit(client, form(), SubmitOptions(project=tmp_path / "project"), clock=clock)
        assert [batch.id async for batch in client.list()] == ids
        lines = (tmp_path / "project" / "requests.jsonl").read_bytes().splitlines()
        assert [json.loads(line) for line in lines] == [request(n) for n in range(3)]


async def test_process_keeps_its_project_beside_the_answers(tmp_path: Path) -> None:
    to = tmp_path / "answers.jsonl"
    async with emulated(duration=1) as (emulator, client, clock):
        for _ in range(2):
            report = await process(client, (request(n) for n in range(5)), to, clock=clock)
            assert report.complete
            assert report.project == f"{to}.streamer"
        assert [json.loads(line)["custom_id"] for line in to.read_bytes().splitlines()] == [f"r-{n}" for n in range(5)]
        assert emulator.stats()["batches_created"] == 1


async def test_what_the_clients_gave_may_stand_inside_params(tmp_path: Path) -> None:
    """Blocks of an earlier answer, as the official client puts them into the next request."""
    answer = Message(
        id="msg_1",
        content=[TextBlock(type="text", text="Hello"), ToolUseBlock(type="tool_use", id="t", name="n", input={})],
        model="claude-haiku-5-5",
        role="assistant",
        type="message",
        usage=Usage(input_tokens=1, output_tokens=1),
    )
    ours = ContentBlock(type="text", text="Hello")
    expected = [{"type": "text", "text": "Hello"}, {"type": "tool_use", "id": "t", "name": "n", "input": {}}]
    requests = [request(0, answer.content), request(1, [ours]), request(2, (block for block in [ours]))]
    async with emulated(duration=1) as (_, client, clock):
        await submit(client, requests, SubmitOptions(project=tmp_path / "project"), clock=clock)
        lines = (tmp_path / "project" / "requests.jsonl").read_bytes().splitlines()
        contents = [json.loads(line)["params"]["messages"][0]["content"] for line in lines]
        assert contents == [expected, expected[:1], expected[:1]]
        assert (await client.create([request(7, answer.content)])).id


def fails() -> Iterator[Any]:
    yield request(0)
    raise ZeroDivisionError("no more")


async def breaks_off() -> AsyncIterator[Any]:
    yield request(0)
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.cancel)
    await future


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (lambda: "requests.jsonl", ConfigurationError, r"write \['requests.jsonl'\]"),
        (lambda: request(0), ConfigurationError, "files is a dict; put it into a list"),
        (lambda: models()[0], ConfigurationError, "files is a Mine; put it into a list"),
        (lambda: 7, ConfigurationError, "files is the int 7"),
        (lambda: None, ConfigurationError, "files is None"),
        (list, ConfigurationError, "files is empty"),
        (lambda: iter(()), ConfigurationError, "files is empty"),
        (lambda: ["requests.jsonl", request(0)], ConfigurationError, "files holds both files, e.g. 'requests.jsonl'"),
        (lambda: [request(0), 7], ConfigurationError, r"files\[1\] is the int 7; a request is a mapping"),
        (lambda: [{"custom_id": "a", "params": object()}], ConfigurationError, r"files\[0\] cannot be written as JSON"),
        (lambda: [b'{"a":\n'], ConfigurationError, r"files\[0\] cannot be written as JSON"),
        (lambda: [{"custom_id": "a"}], InvalidRequestsError, "the requests given, line 1: "),
        (lambda: [request(0), request(0)], InvalidRequestsError, "the requests given, line 2: .*used in line 1"),
        (fails, ZeroDivisionError, "no more"),
        (breaks_off, ConfigurationError, "the requests broke off"),
    ],
)
async def test_what_cannot_be_sent_is_told_and_nothing_is_sent_or_left(
    tmp_path: Path, given: Callable[[], Any], error: type[Exception], says: str
) -> None:
    async with tidily_emulated() as (client, clock):
        project = tmp_path / "project"
        with pytest.raises(error, match=says):
            async with asyncio.timeout(30):
                await submit(client, given(), SubmitOptions(project=project), clock=clock)
        assert [batch async for batch in client.list()] == []
        assert not project.exists()


async def test_requests_without_a_name_need_a_project(tmp_path: Path) -> None:
    async with emulated() as (_, client, clock):
        with pytest.raises(ConfigurationError, match="project='DIR'"):
            await submit(client, [request(0)], clock=clock)
        with pytest.raises(ConfigurationError, match="project='DIR'"):
            await process(client, [request(0)], "-", ProcessOptions(), clock=clock)


async def test_other_requests_are_no_continuation(tmp_path: Path) -> None:
    options = SubmitOptions(project=tmp_path / "project")
    async with emulated() as (emulator, client, clock):
        await submit(client, [request(0)], options, clock=clock)
        with pytest.raises(StreamerError, match="none of the requests that were sent from"):
            await submit(client, [request(1)], options, clock=clock)
        assert emulator.stats()["batches_created"] == 1


async def test_a_call_that_is_cancelled_while_its_iterable_hangs_ends(tmp_path: Path) -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    async def hangs() -> AsyncIterator[Any]:
        try:
            yield request(0)
            begun.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with tidily_emulated() as (client, clock):
        submitting = submit(client, hangs(), SubmitOptions(project=tmp_path / "project"), clock=clock)
        task = asyncio.create_task(submitting)
        await begun.wait()
        task.cancel()
        await asyncio.wait([task], timeout=30)
        assert task.cancelled()
        assert closed.is_set()
        assert not (tmp_path / "project").exists()


async def test_memory_does_not_grow_with_the_requests(tmp_path: Path) -> None:
    text = "x" * 20_000
    async with emulated() as (_, client, clock):
        tracemalloc.start()
        try:
            many = (request(n, text) for n in range(2000))
            await submit(client, many, SubmitOptions(project=tmp_path / "project"), clock=clock)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (tmp_path / "project" / "requests.jsonl").stat().st_size > 40_000_000
    assert peak < 20_000_000
