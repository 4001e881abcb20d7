"""Every batch is created exactly once, whatever becomes of the creates; the emulator's own books say so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import RetryPolicy
from streamer.errors import (
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    SubmissionError,
)
from streamer.progress import Progress, Work
from streamer.submission.creating import create_batches
from streamer.submission.ledger import Ledger, Planned, State
from streamer.submission.options import CreateOptions
from streamer.submission.recovery import Unsettled
from tests.api.servers import Server, error, refusal, reply
from tests.clock import FakeClock
from tests.submission.local import LocalClock, LocalEmulator, local, tasks
from tests.submission.spools import lines, planned

IDS = ("a", "b", "c", "d", "e")  # three batches of two, two and one


async def created(client: Client, ledger: Ledger, **options: Any) -> list[Planned]:
    chosen = {name: options.pop(name) for name in ("on_unknown", "warm_cache") if name in options}
    return [one async for one in create_batches(client, ledger, CreateOptions(**chosen), **options)]


@asynccontextmanager
async def submitting(
    tmp_path: Path, *custom_ids: str, **switches: Any
) -> AsyncIterator[tuple[LocalEmulator, Client, LocalClock, Ledger]]:
    """An emulator, a client of it, and a ledger with batches of two requests."""
    async with local(**switches) as (emulator, client, clock):
        ledger = planned(tmp_path, *(custom_ids or IDS))
        yield emulator, client, clock, ledger
        ledger.close()


def books(emulator: LocalEmulator) -> tuple[int, int]:
    stats = emulator.stats()
    return stats["batches_created"], stats["bodies_repeated"]


async def test_every_slice_becomes_a_batch_and_a_second_time_nothing_is_sent(tmp_path: Path) -> None:
    async with submitting(tmp_path) as (emulator, client, clock, ledger):
        first = await created(client, ledger, clock=clock)
        assert [one.slice.requests for one in first] == [2, 2, 1]
        assert books(emulator) == (3, 0)
        totals = [(await client.retrieve(one.batch_id or "")).requests for one in first]
        assert totals == [2, 2, 1]
        again = await created(client, ledger, clock=clock)
        assert [one.batch_id for one in again] == [one.batch_id for one in first]
        assert books(emulator) == (3, 0)


async def test_what_is_created_already_comes_first_and_the_rest_is_sent_after_it(tmp_path: Path) -> None:
    async with submitting(tmp_path) as (emulator, client, clock, ledger):
        creating = create_batches(client, ledger, clock=clock)
        first = await anext(creating)
        await creating.aclose()
        assert books(emulator) == (1, 0)
        everything = await created(client, ledger, clock=clock)
        assert everything[0].batch_id == first.batch_id
        assert books(emulator) == (3, 0)


async def test_each_body_that_is_sent_can_be_followed_a_repeated_one_too(tmp_path: Path) -> None:
    async with submitting(tmp_path, fault=("create:status=500;accepted,n=1",)) as (_, client, clock, ledger):
        steps: list[Progress] = []
        under_way: list[bool] = []

        def working(progress: Progress) -> None:
            steps.append(progress)
            under_way.append(not progress.over)

        await anext(create_batches(client, ledger, working=working, clock=clock))
        assert [(progress.work, progress.batch, progress.batches) for progress in steps] == [(Work.SENDING, 1, 3)]
        await created(client, ledger, working=working, clock=clock)
    assert [(progress.batch, progress.batches) for progress in steps] == [(1, 3), (2, 3), (3, 3)]
    assert all(under_way)
    assert all(progress.over for progress in steps)
    assert all(progress.done == progress.total > 100 for progress in steps)


UNKNOWN = ["create:stall@head,n=1", "create:fin@head,n=1", "create:status=500;accepted,n=1", "create:body=html,n=1"]


@pytest.mark.parametrize("fault", UNKNOWN)
async def test_a_create_that_was_accepted_without_an_answer_makes_no_second_batch(tmp_path: Path, fault: str) -> None:
    async with submitting(tmp_path, fault=(fault,)) as (emulator, client, clock, ledger):
        made = await created(client, ledger, clock=clock)
        assert books(emulator) == (3, 0)
        assert len({one.batch_id for one in made}) == 3
        assert all(one.state is State.CREATED for one in ledger.batches())


async def test_a_create_that_never_took_effect_is_sent_again_after_a_minute_of_looking(tmp_path: Path) -> None:
    async with submitting(tmp_path, fault=("create:status=500,n=1",)) as (emulator, client, clock, ledger):
        began = clock.monotonic()
        await created(client, ledger, clock=clock)
        assert books(emulator) == (3, 0)
        assert clock.monotonic() - began >= 60


async def test_every_create_without_an_answer_is_found_though_all_slices_are_alike(tmp_path: Path) -> None:
    async with submitting(tmp_path, *"abcdefgh", fault=("create:fin@head",)) as (emulator, client, clock, ledger):
        made = await created(client, ledger, clock=clock)
        assert books(emulator) == (4, 0)
        for one, pair in zip(made, ("ab", "cd", "ef", "gh"), strict=True):
            await clock.sleep(3600)
            batch = await client.retrieve(one.batch_id or "")
            async with client.results(batch) as body:
                results = b"".join([data async for data in body])
            assert all(b'"%b"' % custom_id.encode() in results for custom_id in pair)


@pytest.mark.parametrize("accepted", [True, False])
async def test_after_a_kill_between_intent_and_answer_the_batch_is_looked_for(tmp_path: Path, accepted: bool) -> None:
    async with submitting(tmp_path) as (emulator, client, clock, ledger):
        ledger.intend(1, clock.now().timestamp(), 0.0)
        if accepted:
            await client.create([line.rstrip() for line in lines("a", "b")])
        made = await created(client, ledger, clock=clock)
        assert books(emulator) == (3, 0)
        assert len({one.batch_id for one in made}) == 3


async def test_a_cancelled_create_is_settled_by_the_next_run(tmp_path: Path) -> None:
    async with submitting(tmp_path, fault=("create:stall@head,n=1",)) as (emulator, client, clock, ledger):
        before = tasks()
        async with Client(api_key="test-key", base_url=emulator.base_url, clock=clock) as patient:
            task = asyncio.create_task(created(patient, ledger, clock=clock))
            while emulator.stats()["batches_created"] == 0:  # noqa: ASYNC110 - the emulator counts, and tells nobody
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert tasks() == before
        assert ledger.batches()[0].state is State.INTENDED
        await created(client, ledger, clock=clock)
        assert books(emulator) == (3, 0)


async def foreign(client: Client, *custom_ids: str) -> str:
    """A batch that somebody else makes in the same workspace."""
    return (await client.create([line.rstrip() for line in lines(*custom_ids)])).id


async def test_an_ended_batch_with_other_requests_is_never_taken_for_ours(tmp_path: Path) -> None:
    async with submitting(tmp_path, duration=1) as (emulator, client, clock, ledger):
        ledger.intend(1, clock.now().timestamp(), 0.0)
        other = await foreign(client, "x", "y")
        await clock.sleep(60)
        made = await created(client, ledger, clock=clock)
        assert other not in {one.batch_id for one in made}
        assert emulator.stats()["batches_created"] == 4


async def test_the_ended_batch_with_our_requests_is_taken_among_others_of_its_size(tmp_path: Path) -> None:
    async with submitting(tmp_path, duration=1) as (emulator, client, clock, ledger):
        ledger.intend(1, clock.now().timestamp(), 0.0)
        for custom_ids in ("xy", "ab", "vw"):
            await foreign(client, *custom_ids)
        await clock.sleep(60)
        await foreign(client, "t", "u")  # in progress: nobody can tell what is in it
        await created(client, ledger, clock=clock)
        assert emulator.stats()["batches_created"] == 4 + 2


@asynccontextmanager
async def undecidable(tmp_path: Path) -> AsyncIterator[tuple[LocalEmulator, Client, LocalClock, Ledger, list[str]]]:
    """Two batches in progress, either of which may be the first one."""
    async with submitting(tmp_path, duration=3600) as (emulator, client, clock, ledger):
        ledger.intend(1, clock.now().timestamp(), 0.0)
        both = [await foreign(client, "a", "b"), await foreign(client, "x", "y")]
        yield emulator, client, clock, ledger, both


async def test_what_cannot_be_decided_stops_with_the_ids_and_what_to_do(tmp_path: Path) -> None:
    async with undecidable(tmp_path) as (emulator, client, clock, ledger, both):
        with pytest.raises(SubmissionError) as caught:
            await created(client, ledger, clock=clock)
        for word in (*both, "--on-unknown ID", "--on-unknown resend", "2 requests"):
            assert word in str(caught.value)
        assert emulator.stats()["batches_created"] == 2
        assert ledger.batches()[0].state is State.INTENDED


async def test_a_batch_that_came_hours_after_a_kill_is_not_taken_unasked(tmp_path: Path) -> None:
    async with submitting(tmp_path, duration=7200) as (emulator, client, clock, ledger):
        ledger.intend(1, clock.now().timestamp(), 0.0)  # and then it was killed: nothing was sent
        await clock.sleep(2 * 3600)
        late = await foreign(client, "x", "y")
        with pytest.raises(SubmissionError, match=rf"{late} may be it, but was created at .*--on-unknown ID"):
            await created(client, ledger, clock=clock)
        assert emulator.stats()["batches_created"] == 1


async def test_the_batch_that_somebody_names_is_taken(tmp_path: Path) -> None:
    async with undecidable(tmp_path) as (emulator, client, clock, ledger, both):
        [first, *_] = await created(client, ledger, clock=clock, on_unknown=both[0])
        assert first.batch_id == both[0]
        assert emulator.stats()["batches_created"] == 4


async def test_a_batch_of_another_size_that_is_named_is_refused(tmp_path: Path) -> None:
    async with undecidable(tmp_path) as (_, client, clock, ledger, _):
        three = await foreign(client, "p", "q", "r")
        with pytest.raises(ConfigurationError, match="has 3 requests"):
            await created(client, ledger, clock=clock, on_unknown=three)


async def test_it_is_sent_again_where_somebody_says_so(tmp_path: Path) -> None:
    async with undecidable(tmp_path) as (emulator, client, clock, ledger, both):
        asked = []

        async def decide(unsettled: Unsettled) -> str:
            asked.append(set(unsettled.candidates))
            return "resend"

        made = await created(client, ledger, clock=clock, on_unknown=decide)
        assert asked == [set(both)]
        assert emulator.stats()["batches_created"] == 5
        assert not {one.batch_id for one in made} & set(both)


async def test_a_full_queue_is_waited_for_and_told_once_in_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with submitting(tmp_path, queue_limit=2, duration=7200) as (emulator, client, clock, ledger):
        with caplog.at_level(logging.WARNING, "streamer.submission"):
            made = await created(client, ledger, clock=clock)
        assert len(made) == 3
        assert books(emulator) == (3, 0)
        told = [record for record in caplog.records if getattr(record, "action", "") == "queue_full"]
        assert 2 <= len(told) <= 2 + clock.monotonic() / 900
        assert emulator.stats()["requests"]["create"] < 3 + clock.monotonic() / 10


SPENT = [
    refusal(429, kind="rate_limit_error", error_code="enforced_spend_limit_reached"),
    refusal(402, kind="billing_error"),
    reply(400, error(400, "invalid_request_error", "You have reached your specified API usage limits")),
]
NONE_YET = reply(200, {"data": [], "has_more": False})


async def test_a_queue_that_never_moves_is_given_up_after_a_day_and_nothing_is_intended(tmp_path: Path) -> None:
    ledger, clock = planned(tmp_path, *IDS), FakeClock()
    once = RetryPolicy(attempts=1)
    async with (
        Server([NONE_YET, refusal(429, kind="rate_limit_error")] * 300) as server,
        Client(api_key="k", base_url=server.url, clock=clock, options=ClientOptions(retry=once)) as client,
    ):
        with pytest.raises(SubmissionError, match=r"0 of 3 batches are created.*429"):
            await created(client, ledger, clock=clock)
    assert 25 * 3600 <= clock.monotonic() < 26 * 3600
    assert [one.state for one in ledger.batches()] == [State.PLANNED] * 3
    ledger.close()


@pytest.mark.parametrize("answer", SPENT)
async def test_a_spend_limit_stops_at_once_with_the_reason_and_what_to_do(tmp_path: Path, answer: bytes) -> None:
    ledger, clock = planned(tmp_path, *IDS), FakeClock()
    async with Server([NONE_YET, answer]) as server, Client(api_key="k", base_url=server.url, clock=clock) as client:
        with pytest.raises(SubmissionError, match=r"0 of 3 batches are created.*raise the spend limit"):
            await created(client, ledger, clock=clock)
    assert len(server.seen) == 2
    assert clock.sleeps == []
    assert ledger.batches()[0].state is State.PLANNED
    ledger.close()


async def test_a_refused_key_is_told_as_what_it_is(tmp_path: Path) -> None:
    async with submitting(tmp_path, key=("test-right",)) as (_, client, clock, ledger):
        with pytest.raises(AuthenticationError):
            await created(client, ledger, clock=clock)
        assert ledger.batches()[0].state is State.PLANNED


async def test_where_batches_cannot_be_listed_an_unknown_outcome_is_for_somebody_to_decide(tmp_path: Path) -> None:
    ledger, clock = planned(tmp_path, "a"), FakeClock()
    script = [refusal(404), None, refusal(404)]
    async with Server(script) as server, Client(api_key="k", base_url=server.url, clock=clock) as client:
        with pytest.raises(SubmissionError, match="cannot be listed"):
            await created(client, ledger, clock=clock)
    assert [seen.method for seen in server.seen] == ["GET", "POST", "GET"]
    assert ledger.batches()[0].state is State.INTENDED
    ledger.close()


async def test_creates_that_always_vanish_are_given_up_with_nothing_sent_twice(tmp_path: Path) -> None:
    async with submitting(tmp_path, fault=("create:status=500",)) as (emulator, client, clock, ledger):
        with pytest.raises(SubmissionError) as caught:
            await created(client, ledger, clock=clock)
        assert isinstance(caught.value.__cause__, OutcomeUnknownError)
        assert books(emulator) == (0, 0)


async def test_the_cache_is_warm_before_the_rest_is_sent(tmp_path: Path) -> None:
    async with local(duration=300, duration_spread=0) as (emulator, client, clock):
        ledger = planned(tmp_path, "a", "b", "c", each=1)
        began = clock.monotonic()
        creating = create_batches(client, ledger, CreateOptions(warm_cache=True), clock=clock)
        first = await anext(creating)
        assert clock.monotonic() == began
        await anext(creating)
        assert clock.monotonic() - began >= 300
        assert (await client.retrieve(first.batch_id or "")).ended
        waited = clock.monotonic()
        await anext(creating)
        assert clock.monotonic() == waited
        await creating.aclose()
        assert books(emulator) == (3, 0)
        ledger.close()


async def test_a_spool_that_has_changed_is_not_sent(tmp_path: Path) -> None:
    async with submitting(tmp_path) as (emulator, client, clock, ledger):
        (tmp_path / "requests.jsonl").write_bytes(b"".join(lines("a")))
        with pytest.raises(SubmissionError, match="not what it was"):
            await created(client, ledger, clock=clock)
        assert emulator.stats()["requests"].get("create", 0) == 0
