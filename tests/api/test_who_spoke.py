"""Who spoke: the API in its own words, or something between here and there, whose answers are like weather."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from streamer.api.client import Client
from streamer.api.retry import RetryPolicy
from streamer.api.types import Batch
from streamer.errors import (
    ApiError,
    AuthenticationError,
    GatewayError,
    NotFoundError,
    OutcomeUnknownError,
    StreamerError,
    TransportError,
)
from tests.api.servers import Reply, Routes, Seen, Server, batch, error, refusal, reply, targets
from tests.api.test_client import REQUEST, client_of
from tests.clock import FakeClock

Ask = Callable[[Client], Awaitable[object]]

PAGE = b"<!doctype html><html><head><title>Please wait</title></head><body>checking the connection</body></html>"
STATUSES = (301, 303, 307, 400, 401, 402, 403, 405, 407, 410, 413, 418, 421, 422, 429, 451, 499, 500, 501, 502, 504)
ENDED = Batch("msgbatch_1", "ended", results_url="/results")
EMPTY_PAGE = reply(200, {"data": [], "has_more": False})
# Errors as gateways send them that are not the API: LiteLLM, FastAPI, Kong, ogx, and the API's own without its type.
SHAPES: list[dict[str, Any]] = [
    {"error": {"message": "no", "type": "None", "param": "None", "code": "403"}},
    {"detail": "no"},
    {"message": "no"},
    {"error": {"detail": {"message": "no"}}},
    {"error": {"type": "permission_error", "message": "no"}},
    {"type": "error", "error": "no"},
]


def page(status: int) -> bytes:
    return reply(status, PAGE, content_type="text/html")


async def results(client: Client) -> bytes:
    async with client.results(ENDED) as body:
        return b"".join([chunk async for chunk in body])


@pytest.mark.parametrize("status", STATUSES)
async def test_a_page_of_something_in_between_is_waited_out_whatever_its_status(status: int) -> None:
    asked: dict[str, tuple[Ask, bytes]] = {
        "retrieve": (lambda client: client.retrieve("msgbatch_1"), reply(200, batch())),
        "poll": (lambda client: client.poll_batch("msgbatch_1"), reply(200, batch())),
        "list": (lambda client: client.list_page(), EMPTY_PAGE),
        "results": (results, reply(200, b"{}\n", content_type="application/x-jsonl")),
        "cancel": (lambda client: client.cancel("msgbatch_1"), reply(200, batch())),
        "delete": (lambda client: client.delete("msgbatch_1"), reply(200, {"id": "msgbatch_1"})),
    }
    for ask, answer in asked.values():
        async with Server([page(status), page(status), answer]) as server, client_of(server) as client:
            await ask(client)
            assert client.retries == 2


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_the_api_refuses_is_refused_at_once(status: int) -> None:
    async with Server([refusal(status)]) as server, client_of(server) as client:
        with pytest.raises(AuthenticationError):
            await client.retrieve("msgbatch_1")
    assert len(server.seen) == 1


async def test_what_lasts_is_named_with_its_status_its_type_and_its_beginning() -> None:
    async with Server([page(403)]) as server, client_of(server) as client:
        with pytest.raises(GatewayError) as caught:
            await client.retrieve("msgbatch_1")
    assert str(caught.value) == (
        'retrieve msgbatch_1: something between here and the API answered 403 with text/html: "'
        + PAGE.decode()
        + '" (after 10 attempts)'
    )
    assert (caught.value.status, caught.value.detail, caught.value.attempts) == (403, "", 10)
    assert isinstance(caught.value, TransportError)
    assert not isinstance(caught.value, ApiError)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
async def test_a_gateway_with_errors_of_its_own_shape_is_not_the_api_and_is_quoted(shape: dict[str, Any]) -> None:
    async with Server([reply(403, shape)]) as server, client_of(server) as client:
        with pytest.raises(GatewayError) as caught:
            await client.retrieve("msgbatch_1")
    assert caught.value.detail == "no"
    assert "something between here and the API answered 403 with application/json" in str(caught.value)
    assert "if that is a gateway of yours, check the key in api_key" in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'{"type":"error"}'])
async def test_an_answer_without_words_is_nobodys_verdict(body: bytes) -> None:
    async with Server([reply(401, body), reply(200, batch())]) as server, client_of(server) as client:
        await client.retrieve("msgbatch_1")


async def test_an_error_body_of_the_api_that_breaks_off_is_no_verdict() -> None:
    cut = refusal(403).replace(b"content-length: ", b"content-length: 9")
    async with Server([lambda writer: _send(writer, cut), reply(200, batch())]) as server, client_of(server) as client:
        await client.retrieve("msgbatch_1")


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def test_a_404_of_a_gateway_is_believed_as_soon_as_one_of_the_api() -> None:
    for body in (PAGE, b'{"detail":"Not Found"}'):
        clock = FakeClock()
        async with Server([reply(404, body)]) as server, client_of(server, clock) as client:
            with pytest.raises(GatewayError, match="check the id, and the base URL"):
                await client.retrieve("msgbatch_1")
            assert sum(clock.sleeps) == pytest.approx(15)


@pytest.mark.parametrize("status", STATUSES)
async def test_a_create_answered_by_something_in_between_is_never_taken_for_not_created(status: int) -> None:
    async with Server([page(status)]) as server, client_of(server) as client:
        with pytest.raises(OutcomeUnknownError, match=f"something between here and the API answered {status}"):
            await client.create([REQUEST])
    assert len(server.seen) == 1


@pytest.mark.parametrize("body", [PAGE, b"", b'{"detail":"no"}'])
async def test_a_401_of_something_in_between_is_no_reason_to_send_a_create_again_with_a_fresh_key(body: bytes) -> None:
    tokens = iter(f"token-{n}-0123456789" for n in range(9))
    async with (
        Server([reply(401, body), reply(200, batch())]) as server,
        Client(auth_token=lambda: next(tokens), base_url=server.url, clock=FakeClock()) as client,
    ):
        with pytest.raises(OutcomeUnknownError):
            await client.create([REQUEST])
    assert len(server.seen) == 1


async def test_a_create_refused_by_something_in_between_before_it_had_left_is_sent_again() -> None:
    async def too_large(writer: asyncio.StreamWriter) -> None:
        writer.write(page(413))
        await writer.drain()
        await asyncio.sleep(0.2)

    big = {"custom_id": "a", "params": {"text": "x" * 2**25}}
    few = RetryPolicy(attempts=2)
    async with Server([too_large], reads_bodies=False) as server, client_of(server, retry=few) as client:
        with pytest.raises(GatewayError, match="answered 413") as caught:
            await client.create([big])
        assert caught.value.attempts == 2


@pytest.mark.parametrize("status", [408, 499])
async def test_a_create_that_a_gateway_timed_out_in_the_apis_words_may_have_worked(status: int) -> None:
    async with Server([refusal(status, kind="timeout_error")]) as server, client_of(server) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.create([REQUEST])
    assert len(server.seen) == 1


@pytest.mark.parametrize("kind", ["list", "retrieve", "results"])
async def test_a_login_page_elsewhere_is_waited_out_and_never_asked(kind: str) -> None:
    asked: dict[str, tuple[Ask, bytes]] = {
        "list": (lambda client: client.list_page(), EMPTY_PAGE),
        "retrieve": (lambda client: client.retrieve("msgbatch_1"), reply(200, batch())),
        "results": (results, reply(200, b"{}\n", content_type="")),
    }
    ask, answer = asked[kind]
    async with Server([reply(200)]) as portal:
        moved = reply(302, b"", {"location": f"{portal.url}/login"})
        async with Server([moved, moved, answer]) as server, client_of(server) as client:
            await ask(client)
        assert portal.seen == []


async def test_somebody_in_between_is_not_the_api_that_was_heard() -> None:
    async with Server([page(403), reply(200, batch())]) as server, client_of(server) as client:
        assert not client.heard
        await client.retrieve("msgbatch_1")
        assert client.heard
    async with Server([refusal(404)]) as server, client_of(server) as client:
        with pytest.raises(NotFoundError):
            await client.poll_batch("msgbatch_1")
        assert client.heard


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_gateway_without_a_list_says_so_within_seconds(status: int) -> None:
    for answer, requests in ((refusal(status), 1), (page(status), 3), (reply(status, {"detail": "no"}), 3)):
        clock = FakeClock()
        async with Server([answer]) as server, client_of(server, clock) as client:
            with pytest.raises(StreamerError, match=str(status)):
                await client.list_page()
        assert len(server.seen) == requests
        assert clock.monotonic() <= 3


def at_most(limit: int, refused: Reply) -> Routes:
    """A gateway whose list pages have so many batches at most."""

    def route(seen: Seen) -> Reply:
        asked = int(seen.target.partition("limit=")[2].partition("&")[0])
        return EMPTY_PAGE if asked <= limit else refused

    return Routes(route)


@pytest.mark.parametrize(
    "refused",
    [
        refusal(400, kind="invalid_request_error"),
        reply(422, {"detail": [{"loc": ["query", "limit"], "msg": "too large"}]}),
        page(400),
        page(413),
    ],
    ids=["the API's 400", "422", "page 400", "page 413"],
)
async def test_pages_that_a_gateway_refuses_shrink_for_the_clients_life(refused: bytes) -> None:
    for limit in (100, 20):
        async with at_most(limit, refused) as server, client_of(server) as client:
            await client.list_page()
            before = len(server.seen)
            await client.list_page()
            await client.list_page(limit=7)
        assert [target.partition("limit=")[2] for target in targets(server)][before:] == [str(limit), "7"]


async def test_a_cursor_that_is_gone_does_not_shrink_the_pages() -> None:
    script = [EMPTY_PAGE, refusal(400, kind="invalid_request_error"), EMPTY_PAGE]
    async with Server(script) as server, client_of(server) as client:
        await client.list_page()
        with pytest.raises(ApiError):
            await client.list_page(after_id="msgbatch_gone")
        await client.list_page()
    assert [target.partition("limit=")[2].partition("&")[0] for target in targets(server)] == ["1000"] * 3


async def test_a_list_that_is_refused_at_any_size_is_refused() -> None:
    async with Server([reply(400, error(400, "invalid_request_error", "no lists here"))]) as server:
        async with client_of(server) as client:
            with pytest.raises(ApiError, match="no lists here"):
                await client.list_page()
    assert len(server.seen) == 3
