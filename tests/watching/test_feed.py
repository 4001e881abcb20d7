"""Ids that come while batches are watched and delivered already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from streamer.api.client import Client
from streamer.errors import StreamerError
from streamer.runs.run import run
from streamer.sinks.queue import QueueSink
from streamer.watching.roster import Ended
from streamer.watching.watch import watch
from tests.submission.local import local, tasks

REQUEST = {
    "custom_id": "a",
    "params": {"model": "claude-opus-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]},
}


async def test_an_id_that_comes_while_another_is_watched_is_watched_too() -> None:
    async with local(duration=60, duration_spread=0) as (_, client, clock):
        ended = asyncio.Event()

        async def ids() -> AsyncIterator[str]:
            yield (await client.create([REQUEST])).id
            await ended.wait()  # the second one is made only after the first one has been seen to end
            yield (await client.create([REQUEST])).id

        seen = []
        async for outcome in watch(client, ids(), clock=clock):
            assert isinstance(outcome, Ended)
            seen.append(outcome.batch.id)
            ended.set()
        assert len(set(seen)) == 2


async def test_an_iterable_that_ends_with_nothing_ends_the_watching() -> None:
    async def none() -> AsyncIterator[str]:
        for batch_id in list[str]():
            yield batch_id

    async with local() as (_, client, clock):
        assert [outcome async for outcome in watch(client, none(), clock=clock)] == []


async def failing(client: Client, batches: int) -> AsyncIterator[str]:
    for _ in range(batches):
        yield (await client.create([REQUEST])).id
    await asyncio.sleep(0)
    raise StreamerError("no more")


@pytest.mark.parametrize("batches", [0, 2])
async def test_what_the_iterable_raises_ends_the_run_and_leaves_no_task(batches: int) -> None:
    async with local(duration=3600) as (_, client, clock):
        before = tasks()
        with pytest.raises(StreamerError, match="no more"):
            await run(client, failing(client, batches), QueueSink(asyncio.Queue(10)), clock=clock)
        assert tasks() == before


async def test_a_cancelled_run_ends_the_iterable() -> None:
    closed = asyncio.Event()
    asked = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            asked.set()
            await asyncio.Event().wait()
            yield ""
        finally:
            closed.set()

    async with local() as (_, client, clock):
        running = asyncio.create_task(run(client, endless(), QueueSink(asyncio.Queue(10)), clock=clock))
        await asked.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert closed.is_set()
