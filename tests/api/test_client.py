"""The six endpoints against a real server."""

from __future__ import annotations

import json
import random

import aiohttp
import pytest
from aiohttp import ClientSession

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.types import Batch
from streamer.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    OutcomeUnknownError,
    ResultsError,
    TransportError,
)
from tests.api.servers import KEY, Server, batch, refusal, reply, targets
from tests.clock import FakeClock

REQUEST = {"custom_id": "a", "params": {"model": "m", "max_tokens": 1, "messages": []}}


def client_of(
    server: Server, clock: FakeClock | None = None, session: ClientSession | None = None, **options: object
) -> Client:
    return Client(
        session=session,
        api_key=KEY,
        base_url=server.url,
        clock=clock or FakeClock(),
        random=random.Random(1),
        options=ClientOptions(**options),  # type: ignore[arg-type]  # the tests' own spelling of them
    )


async def test_retrieve_asks_for_the_batch_with_key_and_version() -> None:
    async with Server([reply(200, batch())]) as server, client_of(server) as client:
        found = await client.retrieve("msgbatch_1")
    assert found.id == "msgbatch_1"
    assert not found.ended
    assert targets(server) == ["GET /v1/messages/batches/msgbatch_1"]
    headers = server.seen[0].headers
    assert headers["x-api-key"] == KEY
    assert "authorization" not in headers
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["accept-encoding"] == "gzip"


async def test_an_auth_token_is_sent_as_bearer() -> None:
    async with (
        Server([reply(200, batch())]) as server,
        Client(
            auth_token=KEY, base_url=server.url + "/gateway/", options=ClientOptions(anthropic_version="2026-10-21")
        ) as client,
    ):
        await client.retrieve("msgbatch_1")
    assert targets(server) == ["GET /gateway/v1/messages/batches/msgbatch_1"]
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert "x-api-key" not in server.seen[0].headers
    assert server.seen[0].headers["anthropic-version"] == "2026-10-21"


async def test_a_poll_passes_on_the_servers_wish() -> None:
    script = [reply(200, batch(), {"retry-after": "10"}), reply(200, batch(), {"retry-after": "1e9"})]
    async with Server(script) as server, client_of(server) as client:
        assert (await client.poll_batch("msgbatch_1")).retry_after == 10.0
        assert (await client.poll_batch("msgbatch_1")).retry_after == 120.0


async def test_create_sends_all_requests_with_their_length() -> None:
    async with Server([reply(200, batch())]) as server, client_of(server) as client:
        made = await client.create([REQUEST, json.dumps(REQUEST).encode()])
    assert made.id == "msgbatch_1"
    seen = server.seen[0]
    assert (seen.method, seen.target) == ("POST", "/v1/messages/batches")
    assert json.loads(seen.body) == {"requests": [REQUEST, REQUEST]}
    assert int(seen.headers["content-length"]) == len(seen.body)
    assert "transfer-encoding" not in seen.headers
    assert seen.headers["content-type"] == "application/json"


async def test_list_walks_all_pages() -> None:
    pages = [
        {"data": [batch(f"b{n}") for n in (1, 2)], "has_more": True, "first_id": "b1", "last_id": "b2"},
        {"data": [batch("b3")], "has_more": False, "first_id": "b3", "last_id": "b3"},
    ]
    async with Server([reply(200, page) for page in pages]) as server, client_of(server) as client:
        assert [found.id async for found in client.list(limit=2)] == ["b1", "b2", "b3"]
    assert targets(server) == [
        "GET /v1/messages/batches?limit=2",
        "GET /v1/messages/batches?limit=2&after_id=b2",
    ]


async def test_a_list_that_does_not_advance_ends_with_an_error() -> None:
    page = {"data": [batch("b1")], "has_more": True, "first_id": "b1", "last_id": "b1"}
    async with Server([reply(200, page)]) as server, client_of(server) as client:
        with pytest.raises(TransportError, match="more but not after which"):
            [found async for found in client.list()]
    assert len(server.seen) == 2


async def test_list_page_passes_both_cursors_and_checks_the_limit() -> None:
    page = {"data": [], "has_more": False}
    async with Server([reply(200, page)]) as server, client_of(server) as client:
        assert (await client.list_page(limit=5, before_id="b9")).data == []
        with pytest.raises(ConfigurationError, match="1 to 1000"):
            await client.list_page(limit=1001)
    assert targets(server) == ["GET /v1/messages/batches?limit=5&before_id=b9"]


async def test_cancel_posts_an_empty_body() -> None:
    answer = batch(processing_status="canceling", cancel_initiated_at="2025-01-12T06:00:00Z")
    async with Server([reply(200, answer)]) as server, client_of(server) as client:
        assert (await client.cancel("msgbatch_1")).processing_status == "canceling"
    assert targets(server) == ["POST /v1/messages/batches/msgbatch_1/cancel"]
    assert server.seen[0].headers["content-length"] == "0"


async def test_a_cancel_that_was_done_by_an_attempt_without_answer_succeeds() -> None:
    canceling = batch(processing_status="canceling", cancel_initiated_at="2025-01-12T06:00:00Z")
    async with Server([None, refusal(400), reply(200, canceling)]) as server, client_of(server) as client:
        assert (await client.cancel("msgbatch_1")).processing_status == "canceling"
    async with Server([None, refusal(400), reply(200, batch())]) as server, client_of(server) as client:
        with pytest.raises(Exception, match="the API answered 400"):
            await client.cancel("msgbatch_1")


async def test_delete_and_delete_that_was_done_by_an_attempt_without_answer() -> None:
    gone = {"id": "msgbatch_1", "type": "message_batch_deleted"}
    async with Server([reply(200, gone)]) as server, client_of(server) as client:
        assert (await client.delete("msgbatch_1")).id == "msgbatch_1"
    assert targets(server) == ["DELETE /v1/messages/batches/msgbatch_1"]
    async with Server([refusal(500), refusal(404)]) as server, client_of(server) as client:
        assert (await client.delete("msgbatch_1")).id == "msgbatch_1"
    async with Server([refusal(404)]) as server, client_of(server) as client:
        with pytest.raises(NotFoundError):
            await client.delete("msgbatch_1")
        assert client.retries == 0


@pytest.mark.parametrize("bad", ["", "../x", "a/b", "a.b", "a?b", "a%2fb", "é", "a" * 65, "a\n", 'a"'])
async def test_a_malformed_id_is_refused_and_nothing_is_sent(bad: str) -> None:
    async with Server([reply(200, batch())]) as server, client_of(server) as client:
        for call in (client.retrieve, client.cancel, client.delete):
            with pytest.raises(ConfigurationError, match="is not a batch id"):
                await call(bad)
    assert server.seen == []


async def test_results_yields_the_body_as_it_is() -> None:
    body = b'{"custom_id":"a"}\n' * 50_000
    answer = reply(200, body, {"content-encoding": "gzip"}, content_type="application/x-jsonl")
    async with Server([answer]) as server, client_of(server) as client:
        ended = Batch("msgbatch_1", "ended", results_url=f"{server.url}/v1/messages/batches/msgbatch_1/results")
        async with client.results(ended, accept_encoding="zstd, gzip") as results:
            assert results.status == 200
            assert results.headers["Content-Type"] == "application/x-jsonl"
            chunks = [chunk async for chunk in results]
    assert b"".join(chunks) == body
    assert results.received == len(body)
    assert results.retries == 0
    assert server.seen[0].headers["accept"] == "application/binary"
    assert server.seen[0].headers["accept-encoding"] == "zstd, gzip"
    assert server.seen[0].headers["x-api-key"] == KEY


async def test_a_body_read_to_its_end_leaves_the_connection_for_the_next() -> None:
    async with Server([reply(200, b"{}\n", content_type="")]) as server, client_of(server) as client:
        ended = Batch("msgbatch_1", "ended", results_url="/results")
        for _ in range(2):
            async with client.results(ended) as results:
                assert [chunk async for chunk in results] == [b"{}\n"]
    assert server.seen[0].port == server.seen[1].port


async def test_results_of_a_batch_without_any_says_why() -> None:
    async with Server([reply(200)]) as server, client_of(server) as client:
        for found, words in (
            (Batch("b1", "in_progress"), "its status is 'in_progress'"),
            (Batch("b1", "ended", archived_at=FakeClock().now(), results_url="/r"), "they were removed at 2026"),
        ):
            with pytest.raises(ResultsError, match=words):
                await client.results(found).__aenter__()
    assert server.seen == []


async def test_a_refused_key_is_told_once_and_at_once() -> None:
    async with Server([refusal(401, kind="authentication_error")]) as server, client_of(server) as client:
        with pytest.raises(AuthenticationError, match="check the key in api_key") as caught:
            await client.retrieve("msgbatch_1")
    assert len(server.seen) == 1
    assert (caught.value.status, caught.value.type, caught.value.request_id) == (401, "authentication_error", "req_1")


async def test_a_create_without_an_answer_is_not_repeated() -> None:
    for answer in (None, refusal(500), refusal(502), reply(503, b"upstream reset"), reply(200, b"<html>")):
        async with Server([answer]) as server, client_of(server) as client:
            with pytest.raises(OutcomeUnknownError, match="list the batches"):
                await client.create([REQUEST])
        assert len(server.seen) == 1


async def test_a_create_that_was_refused_at_the_door_is_repeated() -> None:
    doors = [refusal(429, {"retry-after": "3"}), refusal(529), refusal(503), reply(200, batch())]
    clock = FakeClock()
    async with Server(doors) as server, client_of(server, clock) as client:
        await client.create(iter([REQUEST]))
        assert client.retries == 3
    assert [json.loads(seen.body) for seen in server.seen] == [{"requests": [REQUEST]}] * 4
    assert clock.sleeps[0] >= 3


async def test_every_create_has_a_connection_of_its_own() -> None:
    async with Server([reply(200, batch())]) as server, client_of(server) as client:
        await client.create([REQUEST])
        await client.create([REQUEST])
    assert server.seen[0].port != server.seen[1].port


async def test_a_create_that_could_not_connect_is_repeated() -> None:
    async with Server([reply(200, batch())]) as server:
        pass
    clock = FakeClock()
    async with client_of(server, clock) as client:
        with pytest.raises(TransportError, match="no connection") as caught:
            await client.create([REQUEST])
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert len(clock.sleeps) > 1
    assert sum(clock.sleeps) <= 10


async def test_a_callers_session_is_used_and_left_open() -> None:
    async with (
        Server([reply(200, batch()), reply(200, b"{}\n", {"content-encoding": "gzip"}), refusal(400)]) as server,
        aiohttp.ClientSession(headers={"x-mine": "1"}, raise_for_status=True) as session,
    ):
        async with client_of(server, session=session) as client:
            await client.retrieve("msgbatch_1")
            async with client.results(Batch("b1", "ended", results_url="/r")) as results:
                assert b"".join([chunk async for chunk in results]) == b"{}\n"
            with pytest.raises(ApiError, match="answered 400"):
                await client.retrieve("msgbatch_1")
        assert not session.closed
        with pytest.raises(ConfigurationError, match="closed"):
            await client.retrieve("msgbatch_1")
    assert [seen.headers["x-mine"] for seen in server.seen] == ["1", "1", "1"]


async def test_a_closed_session_of_the_caller_is_named() -> None:
    async with (
        Server([reply(200, batch())]) as server,
        aiohttp.ClientSession() as session,
        client_of(server, session=session) as client,
    ):
        await session.close()
        with pytest.raises(ConfigurationError, match="session is closed"):
            await client.retrieve("msgbatch_1")
