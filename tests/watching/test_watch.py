"""Watching real batches on the emulator: who ends, who is lost and why, and how many requests it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.errors import AuthenticationError, ConfigurationError, GatewayError, NotFoundError, TransportError
from streamer.observer import Observer
from streamer.watching.roster import Ended, Lost
from streamer.watching.watch import WatchOptions, watch
from tests.api.servers import Routes, Seen, batch, refusal, reply
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
        counts = outcome.batch.request_counts
        assert counts is not None
        assert counts.canceled + counts.succeeded == 1


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


PORTAL = "<!doctype html><html><head><title>Please wait</title></head><body>checking the connection</body></html>"


def page(status: int, headers: Mapping[str, str] | None = None) -> bytes:
    return reply(status, PORTAL.encode(), headers, content_type="text/html")


class Weather(Routes):
    """Pages of something in between until a time, then the workspace of one batch that has ended."""

    def __init__(self, clock: FakeClock, until: float, *bad: bytes, sunny: float = 0.0) -> None:
        self._clock, self._until, self._bad, self._sunny = clock, until, bad, sunny
        counts = {"processing": 0, "succeeded": 1}
        self.batch = batch("msgbatch_1", processing_status="ended", results_url="/r", request_counts=counts)
        super().__init__(self._answer)

    def _answer(self, seen: Seen) -> bytes:
        listing = seen.target.startswith("/v1/messages/batches?")
        if self._sunny <= self._clock.monotonic() < self._until:
            return self._bad[len(self.seen) % len(self._bad)]
        ended = self.batch if self._clock.monotonic() >= self._until else batch("msgbatch_1")
        return reply(200, {"data": [ended], "has_more": False} if listing else ended)


WEATHER = [
    (page(403), page(403)),
    (page(401), page(451)),
    (page(200), page(200)),
    (page(302, {"location": "https://portal.example/login"}), page(511)),
    (reply(403, {"error": {"message": "blocked", "code": "403"}}), reply(401, b"")),
    (page(404), reply(404, b"default backend - 404", content_type="text/plain")),
]


@pytest.mark.parametrize("bad", WEATHER, ids=["403", "401, 451", "200", "portal", "gateway", "404"])
@pytest.mark.parametrize("options", [{}, {"everything": True}])
async def test_pages_of_something_in_between_that_last_for_half_an_hour_end_nothing(
    bad: tuple[bytes, ...], options: dict[str, Any]
) -> None:
    clock = FakeClock()
    async with (
        Weather(clock, 1800.0, *bad, sunny=60.0) as server,
        Client(api_key="test-key", base_url=server.url, clock=clock) as client,
    ):
        [ended] = await outcomes(client, *([] if options else ["msgbatch_1"]), clock=clock, **options)
    assert isinstance(ended, Ended)
    assert 1800 <= clock.monotonic() < 2400


async def test_pages_of_something_in_between_that_last_longer_than_an_hour_are_named() -> None:
    clock = FakeClock()
    async with (
        Weather(clock, 1e9, page(403), sunny=60.0) as server,
        Client(api_key="test-key", base_url=server.url, clock=clock) as client,
    ):
        with pytest.raises(GatewayError, match="something between here and the API answered 403 with text/html"):
            await outcomes(client, "msgbatch_1", clock=clock)
    assert 3600 <= clock.monotonic() < 4200


@pytest.mark.parametrize("bad", WEATHER, ids=["403", "401, 451", "200", "portal", "gateway", "404"])
async def test_where_the_api_was_never_heard_it_is_said_within_minutes(bad: tuple[bytes, ...]) -> None:
    clock = FakeClock()
    async with (
        Weather(clock, 1e9, *bad) as server,
        Client(api_key="test-key", base_url=server.url, clock=clock) as client,
    ):
        try:
            [lost] = await outcomes(client, "msgbatch_1", clock=clock)
        except GatewayError as error:
            lost = Lost("msgbatch_1", error)
    assert isinstance(lost, Lost)
    assert isinstance(lost.error, GatewayError)
    assert clock.monotonic() < 400


async def test_the_404_of_a_gateway_for_an_unknown_batch_is_believed_after_two_minutes_while_others_go_on() -> None:
    clock = FakeClock()

    def route(seen: Seen) -> bytes:
        known = seen.target.endswith("msgbatch_1")
        return reply(200, batch("msgbatch_1")) if known else reply(404, {"error": {"message": "no batch"}})

    async with Routes(route) as server, Client(api_key="test-key", base_url=server.url, clock=clock) as client:
        following = watch(client, ["msgbatch_1", "msgbatch_2"], clock=clock)
        lost = await anext(following)
        await following.aclose()
    assert isinstance(lost, Lost)
    assert "answered 404 with application/json" in str(lost.error)
    assert 120 <= clock.monotonic() < 200


async def test_a_batch_of_which_only_nonsense_comes_is_given_up_and_no_other_waits_for_it() -> None:
    clock = FakeClock()
    ended = batch("msgbatch_1", processing_status="ended", results_url="/r", request_counts={"succeeded": 1})

    def route(seen: Seen) -> bytes:
        if seen.target.endswith("msgbatch_1"):
            return reply(200, ended)
        return reply(200, batch("msgbatch_2", request_counts={"succeeded": 10**18}))

    async with Routes(route) as server, Client(api_key="test-key", base_url=server.url, clock=clock) as client:
        first, second = await outcomes(client, "msgbatch_1", "msgbatch_2", clock=clock)
    assert isinstance(first, Ended)
    assert isinstance(second, Lost)
    assert "more than the 100,000 that a batch can have" in str(second.error)
    assert clock.monotonic() < 200


async def test_all_of_the_workspace_is_found_though_its_list_breaks_off_in_the_middle() -> None:
    clock = FakeClock()
    pages = [[f"msgbatch_{n}" for n in range(k, k + 3)] for k in (0, 3, 6)]
    counts = {"succeeded": 1}

    def item(name: str) -> dict[str, Any]:
        return batch(name, processing_status="ended", results_url="/r", request_counts=counts)

    def route(seen: Seen) -> bytes:
        after = seen.target.partition("after_id=")[2]
        at = 0 if not after else next(k for k, ids in enumerate(pages) if ids[-1] == after) + 1
        if at and clock.monotonic() < 600:
            return page(403)
        data = [item(name) for name in pages[at]]
        return reply(200, {"data": data, "has_more": at < 2, "last_id": pages[at][-1]})

    async with Routes(route) as server, Client(api_key="test-key", base_url=server.url, clock=clock) as client:
        found = await outcomes(client, clock=clock, everything=True)
    assert {o.batch.id for o in found if isinstance(o, Ended)} == {name for ids in pages for name in ids}


async def test_a_gateway_that_passes_no_list_on_is_asked_for_each_batch() -> None:
    ended = {"processing_status": "ended", "results_url": "/r", "request_counts": {"succeeded": 1}}
    answers = {f"msgbatch_{n}": reply(200, batch(f"msgbatch_{n}", **ended)) for n in range(4)}
    clock = FakeClock()
    async with (
        Routes(lambda seen: answers.get(seen.target.rpartition("/")[2], refusal(404))) as server,
        Client(api_key="test-key", base_url=server.url, clock=clock) as client,
    ):
        found = await outcomes(client, *(f"msgbatch_{n}" for n in range(4)), clock=clock)
    assert {o.batch.id for o in found if isinstance(o, Ended)} == {f"msgbatch_{n}" for n in range(4)}
    assert len(server.seen) == 5


async def test_one_neighbour_that_cannot_be_read_costs_only_itself_and_is_asked_for_alone() -> None:
    clock = FakeClock()
    counts = {"processing": 0, "succeeded": 4}
    good = {
        name: batch(name, processing_status="ended", results_url="/r", request_counts=counts, **fields)
        for name, fields in {
            "msgbatch_good": {},
            "msgbatch_good2": {},
            "msgbatch_zoneless": {"created_at": "2026-11-27T10:00:00"},
            "msgbatch_emptytime": {},
        }.items()
    }
    items = [
        *good.values(),
        {**good["msgbatch_emptytime"], "id": "msgbatch_never", "request_counts": 5},
        {"id": "../x"},
    ]
    items[3] = {**good["msgbatch_emptytime"], "created_at": ""}

    def route(seen: Seen) -> bytes:
        if "?" in seen.target:
            return reply(200, {"data": items, "has_more": False})
        name = seen.target.rpartition("/")[2]
        return reply(200, good.get(name, {"id": name}))

    for ids, everything in (((*good, "msgbatch_never"), False), ((), True)):
        async with Routes(route) as server, Client(api_key="test-key", base_url=server.url, clock=clock) as client:
            found = await outcomes(client, *ids, clock=clock, everything=everything)
        assert {o.batch.id for o in found if isinstance(o, Ended)} == set(good)
        [lost] = [o for o in found if isinstance(o, Lost)]
        assert lost.batch_id == "msgbatch_never"
        asked_alone = {seen.target.rpartition("/")[2] for seen in server.seen if "?" not in seen.target}
        assert asked_alone == {"msgbatch_emptytime", "msgbatch_never"}


async def test_counts_that_come_late_are_handed_on_when_they_are_right() -> None:
    clock = FakeClock()
    late = batch("msgbatch_1", processing_status="ended", results_url="/r", request_counts={"succeeded": 0})
    right = {**late, "request_counts": {"succeeded": 4}}
    async with (
        Routes(lambda _: reply(200, late if clock.monotonic() < 9 else right)) as server,
        Client(api_key="test-key", base_url=server.url, clock=clock) as client,
    ):
        [ended] = await outcomes(client, "msgbatch_1", clock=clock)
    assert isinstance(ended, Ended)
    assert ended.batch.requests == 4
    assert clock.monotonic() < 15


async def test_a_search_whose_place_in_the_list_is_gone_begins_anew_and_passes_over_nothing() -> None:
    clock = FakeClock()
    counts = {"succeeded": 1}
    workspace = [
        batch(f"msgbatch_{n}", processing_status="ended", results_url="/r", request_counts=counts) for n in "ab"
    ]

    def route(seen: Seen) -> bytes:
        after = seen.target.partition("after_id=")[2]
        ids = [one["id"] for one in workspace]
        if after == "msgbatch_new2" and after in ids:
            workspace.pop(ids.index(after))  # deleted by somebody just before we ask for what follows it
            return refusal(404)
        begin = ids.index(after) + 1 if after else 0
        data = workspace[begin : begin + 1]
        more = begin + 1 < len(workspace)
        return reply(200, {"data": data, "has_more": more, "last_id": data[-1]["id"]})

    async with (
        asyncio.timeout(30),
        Routes(route) as server,
        Client(api_key="test-key", base_url=server.url, clock=clock) as client,
    ):
        following = watch(client, clock=clock, options=WatchOptions(everything=True, follow=True))
        found = [await anext(following) for _ in workspace]
        news = [
            batch(f"msgbatch_new{n}", processing_status="ended", results_url="/r", request_counts=counts) for n in "321"
        ]
        workspace[:0] = news
        found += [await anext(following) for _ in news]
        await following.aclose()
    assert {o.batch.id for o in found if isinstance(o, Ended)} == {
        *("msgbatch_a", "msgbatch_b"),
        *(f"msgbatch_new{n}" for n in range(1, 4)),
    }
