"""Watching real batches on the emulator: who ends, who is lost and why, and how many requests it takes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.errors import AuthenticationError, ConfigurationError, NotFoundError, TransportError
from streamer.observer import Observer
from streamer.watching.roster import Ended, Lost
from streamer.watching.watch import WatchOptions, watch
from tests.api.servers import Server, batch, refusal, reply
from tests.clock import FakeClock
from tests.emulated import asked, emulated

REQUEST = {
    "custom_id": "a",
    "params": {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
}


async def outcomes(client: Client, *batch_ids: str, clock: FakeClock, **options: Any) -> list[Ended | Lost]:
    observer = options.pop("observer", None)
    return [o async for o in watch(client, batch_ids, WatchOptions(**options), observer=observer, clock=clock)]


async def test_batches_are_handed_on_as_they_end_those_ended_before_at_once() -> None:
    async with emulated(fill=20, fill_ended=5, duration=600) as (_, client, clock):
        batches = [batch async for batch in client.list()]
        found = await outcomes(client, *[batch.id for batch in batches], clock=clock)
        assert {o.batch.id for o in found if isinstance(o, Ended)} == {batch.id for batch in batches}
        before = {batch.id for batch in batches if batch.ended}
        assert len(before) == 5
        assert {o.batch.id for o in found[:5] if isinstance(o, Ended)} == before


async def test_2000_batches_in_progress_before_100_000_older_ones_cost_3_requests_a_round() -> None:
    class Rounds(Observer):
        polls = 0

        def __init__(self) -> None:
            self.enough = asyncio.Event()

        def polled(self, batch: Batch) -> None:
            self.polls += 1
            if self.polls >= 5 * 2000:
                self.enough.set()

    async with emulated(fill=2000, fill_ended=100_000, duration=100_000, duration_spread=0) as (
        emulator,
        client,
        clock,
    ):
        newest = await client.list_page()
        ids = [batch.id for batch in newest.data + (await client.list_page(after_id=newest.last_id)).data]
        before, rounds = asked(emulator), Rounds()
        following = watch(client, ids, clock=clock, observer=rounds)
        waiting = asyncio.ensure_future(anext(following))
        await rounds.enough.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        await following.aclose()
        assert asked(emulator) - before <= 3 * (rounds.polls / 2000 + 1)


async def test_a_canceled_batch_is_handed_on_when_it_has_ended() -> None:
    async with emulated(duration=600) as (_, client, clock):
        batch = await client.create([REQUEST])
        await client.cancel(batch.id)
        [outcome] = await outcomes(client, batch.id, clock=clock)
        assert isinstance(outcome, Ended)
        assert outcome.batch.request_counts.canceled + outcome.batch.request_counts.succeeded == 1


async def test_an_archived_batch_is_lost_and_others_go_on() -> None:
    async with emulated(duration=1) as (emulator, client, clock):
        old = await client.create([REQUEST])
        await asyncio.to_thread(emulator.advance, 30 * 86400)
        young = await client.create([REQUEST])
        found = await outcomes(client, old.id, young.id, clock=clock)
        lost = next(o for o in found if isinstance(o, Lost))
        assert lost.batch_id == old.id
        assert "29 days" in str(lost.error)
        assert [o.batch.id for o in found if isinstance(o, Ended)] == [young.id]


async def test_a_batch_that_is_deleted_while_it_is_watched_is_lost() -> None:
    """It ends and is deleted by somebody else before we ask again."""
    async with emulated(duration=100, duration_spread=0) as (emulator, client, clock):
        batch = await client.create([REQUEST])

        class Deleter(Observer):
            def polled(self, batch: Batch) -> None:
                emulator.advance(200)
                asyncio.get_running_loop().create_task(client.delete(batch.id))

        [lost] = await outcomes(client, batch.id, clock=clock, observer=Deleter())
        assert isinstance(lost, Lost)
        assert "deleted" in str(lost.error)


async def test_an_unknown_batch_is_lost_after_a_grace_and_a_malformed_id_at_once() -> None:
    async with emulated() as (_, client, clock):
        found = await outcomes(client, "msgbatch_01unknown", "not/an/id", clock=clock)
        errors = {o.batch_id: o.error for o in found if isinstance(o, Lost)}
        assert isinstance(errors["msgbatch_01unknown"], NotFoundError)
        assert isinstance(errors["not/an/id"], ConfigurationError)
        assert 15 <= clock.monotonic() < 60


async def test_a_batch_of_another_workspace_is_lost_like_an_unknown_one() -> None:
    async with emulated(workspace_per_key=True) as (emulator, client, clock):
        async with Client(api_key="test-other", base_url=emulator.base_url) as other:
            foreign = await other.create([REQUEST])
        [lost] = await outcomes(client, foreign.id, clock=clock)
        assert isinstance(lost, Lost)
        assert isinstance(lost.error, NotFoundError)


async def test_the_whole_workspace_is_followed_without_naming_a_batch() -> None:
    async with emulated(fill=30, fill_ended=1200, duration=60) as (_, client, clock):
        found = await outcomes(client, clock=clock, everything=True)
        assert len({o.batch.id for o in found if isinstance(o, Ended)}) == 1230


async def test_following_takes_in_new_batches_and_leaves_ended_ones_alone_unless_told() -> None:
    async with emulated(fill_ended=10, duration=30) as (_, client, clock):
        following = watch(client, (), WatchOptions(follow=True), clock=clock)
        first = await client.create([REQUEST])
        outcome = await anext(following)
        assert isinstance(outcome, Ended)
        assert outcome.batch.id == first.id
        second = await client.create([REQUEST])
        outcome = await anext(following)
        assert isinstance(outcome, Ended)
        assert outcome.batch.id == second.id
        await following.aclose()


async def test_a_refused_key_ends_watching_at_once() -> None:
    async with (
        emulated() as (emulator, _, clock),
        Client(api_key="sk-ant-looks-real", base_url=emulator.base_url, clock=clock) as client,
    ):
        with pytest.raises(AuthenticationError):
            await outcomes(client, "msgbatch_01a", clock=clock)


async def test_an_api_that_never_answers_ends_watching_with_a_clear_error() -> None:
    clock = FakeClock()
    async with Client(api_key="test-key", base_url="http://127.0.0.1:9", clock=clock) as client:
        with pytest.raises(TransportError, match=r"127\.0\.0\.1"):
            await outcomes(client, "msgbatch_01a", clock=clock)


async def test_a_gateway_that_passes_no_list_on_is_asked_for_each_batch() -> None:
    ended = {"processing_status": "ended", "results_url": "/r"}
    script = [refusal(404), *(reply(200, batch(f"msgbatch_{n}", **ended)) for n in range(4))]
    clock = FakeClock()
    async with Server(script) as server, Client(api_key="test-key", base_url=server.url, clock=clock) as client:
        found = await outcomes(client, *(f"msgbatch_{n}" for n in range(4)), clock=clock)
    assert {o.batch.id for o in found if isinstance(o, Ended)} == {f"msgbatch_{n}" for n in range(4)}
    assert len(server.seen) == 5
