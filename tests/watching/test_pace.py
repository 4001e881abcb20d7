"""How often is asked: never faster than the interval, whatever the roster holds and whatever comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import LEAST_WAIT, Failure, Operation, RetryPolicy, decide
from streamer.delivery.redownloads import RedownloadPolicy
from streamer.watching.roster import Ended, Lost
from streamer.watching.watch import WatchOptions, watch
from tests.api.servers import Reply, Routes, Seen, batch, refusal, reply
from tests.clock import FakeClock

LONG = 900.0  # seconds that are watched
COUNTS = {"processing": 0, "succeeded": 1}
ENDED: dict[str, Any] = {"processing_status": "ended", "results_url": "/r", "request_counts": COUNTS}


NO_LIST = reply(501, b"")


class Enough(Exception):  # noqa: N818 - nothing went wrong
    """The time that is watched is over."""


class Hour(FakeClock):
    """A clock whose time ends after `LONG`, and whose sleeps take a moment of the loop's even when they are none."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self._elapsed > LONG:
            raise Enough
        if len(self.sleeps) > 20_000:
            raise AssertionError("it spins")


async def watched(
    route: Callable[[Seen], Reply], ids: Any = (), *, clock: Hour | None = None, **options: Any
) -> tuple[int, list[Ended | Lost]]:
    """How many requests an hour of watching takes, and what came of it."""
    clock = clock or Hour()
    found: list[Ended | Lost] = []
    async with (
        Routes(route) as server,
        Client(
            api_key="k",
            base_url=server.url,
            clock=clock,
            options=ClientOptions(requests_per_minute=1_000_000, retry=RetryPolicy(attempts=1)),
            random=Random(1),
        ) as client,
    ):
        try:
            async with asyncio.timeout(60):
                async for outcome in watch(client, ids, WatchOptions(**options), clock=clock, random=Random(1)):
                    found.append(outcome)  # noqa: PERF401 - those before the time is over, too
        except* Enough:
            pass
        except* TimeoutError:
            raise AssertionError("it spins") from None
        return len(server.seen), found


def listing(*data: dict[str, Any], **fields: Any) -> bytes:
    return reply(200, {"data": list(data), "has_more": False, **fields})


async def test_following_an_empty_workspace_asks_once_an_interval() -> None:
    requests, _ = await watched(lambda _: listing(), follow=True)
    assert 85 <= requests <= 92


@pytest.mark.parametrize("headers", [{}, {"retry-after": "0"}, {"retry-after-ms": "0"}])
async def test_following_one_batch_in_progress_asks_for_new_ones_and_for_it_at_its_pace(
    headers: dict[str, str],
) -> None:
    def route(seen: Seen) -> bytes:
        listed = seen.target.startswith("/v1/messages/batches?")
        return reply(200, {"data": [batch()], "has_more": False} if listed else batch(), headers)

    requests, _ = await watched(route, follow=True)
    assert requests <= 92 + LONG / 10


async def test_an_interval_of_its_own_is_kept() -> None:
    requests, _ = await watched(lambda _: listing(), follow=True, poll_interval=60.0)
    assert 14 <= requests <= 17


@pytest.mark.parametrize(
    "answer",
    [
        refusal(404),
        refusal(500),
        refusal(429, {"retry-after": "0"}),
        reply(403, b"<html>", content_type="text/html"),
        reply(200, batch("msgbatch_of_another_name")),
        reply(200, batch(processing_status="ended", request_counts=None, results_url="/r")),
        reply(200, batch(processing_status="ended", request_counts=COUNTS)),
        reply(200, batch(processing_status="unheard_of")),
        reply(200, batch(created_at=None, request_counts=None)),
    ],
    ids=["404", "500", "429", "page", "another", "no counts", "no url", "odd status", "no times"],
)
async def test_whatever_is_answered_about_a_batch_it_is_asked_for_at_its_pace(answer: bytes) -> None:
    good = reply(200, batch("msgbatch_2"))
    requests, _ = await watched(
        lambda seen: good if seen.target.endswith("_2") else answer, ["msgbatch_1", "msgbatch_2"]
    )
    assert requests <= 2 * LONG / 5


@pytest.mark.parametrize(
    "page",
    [
        listing(batch("msgbatch_other")),
        listing(has_more=True),
        listing(batch("msgbatch_other"), has_more=True, last_id="msgbatch_other"),
        listing({"id": "msgbatch_1"}),
        NO_LIST,
    ],
    ids=["another", "empty but more", "a circle", "undecodable", "no list"],
)
async def test_whatever_the_list_shows_it_is_asked_for_at_its_pace(page: bytes) -> None:
    def route(seen: Seen) -> bytes:
        return page if "?" in seen.target else reply(200, batch(seen.target.rpartition("/")[2]))

    ids = [f"msgbatch_{n}" for n in range(1, 5)]
    for follow in (False, True):
        if follow and page == NO_LIST:  # then following cannot work
            continue
        requests, _ = await watched(route, ids, follow=follow)
        assert requests <= (len(ids) + 2) * LONG / 10 + 20


async def test_ids_that_come_one_by_one_are_asked_for_together() -> None:
    clock = Hour()

    async def ids() -> AsyncIterator[str]:
        for n in range(500):
            yield f"msgbatch_{n}"
            clock.advance(0.01)
            await asyncio.sleep(0)

    def route(seen: Seen) -> bytes:
        if "?" in seen.target:
            return listing(*(batch(f"msgbatch_{n}", **ENDED) for n in range(500)))
        return reply(200, batch(seen.target.rpartition("/")[2], **ENDED))

    requests, found = await watched(route, ids(), clock=clock)
    assert len(found) == 500
    assert requests <= 100


async def test_a_feed_that_ends_with_nothing_left_ends_the_watching_at_once() -> None:
    clock = Hour()

    async def ids() -> AsyncIterator[str]:
        yield "msgbatch_1"

    _, [outcome] = await watched(lambda _: reply(200, batch(**ENDED)), ids(), clock=clock)
    assert isinstance(outcome, Ended)
    assert clock.monotonic() <= 1


@pytest.mark.parametrize("failure", [Failure(status=429, retry_after=0.0), Failure(status=500), Failure(sent=False)])
def test_no_retry_comes_at_once_whatever_the_jitter_and_the_server_say(failure: Failure) -> None:
    for attempt in range(1, 10):
        wait = decide(
            RetryPolicy(backoff_first=0.0), failure, operation=Operation.LIST, attempt=attempt, elapsed=0.0, jitter=0.0
        )
        assert wait is not None
        assert wait >= LEAST_WAIT


def test_no_download_of_the_same_results_comes_at_once() -> None:
    redownloads = RedownloadPolicy(Random(1))
    assert min(redownloads.pause(progressed=True, clean=False) or 0.0 for _ in range(1000)) >= 0.1
