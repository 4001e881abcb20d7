"""The key goes to the API's origin and nowhere else: no other server, no message, no repr, no crash report."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import RetryPolicy
from streamer.api.transport import Timeouts
from streamer.api.types import Batch
from streamer.errors import ApiError, StreamerError, TransportError, UntrustedHostError
from tests.api.servers import KEY, Reply, Server, batch, refusal, reply, sends, stalls, targets
from tests.api.test_client import REQUEST, client_of

Use = Callable[[Client], Awaitable[object]]


def moved(to: str, status: int = 302) -> bytes:
    return reply(status, b"", {"location": to})


async def read_results(client: Client, url: str = "/results") -> bytes:
    async with client.results(Batch("msgbatch_1", "ended", results_url=url)) as results:
        return b"".join([chunk async for chunk in results])


def key_in_headers(server: Server) -> list[bool]:
    return [KEY in str(seen.headers) for seen in server.seen]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_is_not_followed(status: int) -> None:
    async with Server([reply(200, batch())]) as other, Server([moved(f"{other.url}/x", status)]) as server:
        async with client_of(server) as client:
            for use in (client.retrieve("msgbatch_1"), client.list_page(), read_results(client)):
                with pytest.raises(UntrustedHostError, match=f"--trust-host 127.0.0.1:{other.port}"):
                    await use
            for change in (client.cancel("msgbatch_1"), client.delete("msgbatch_1"), client.create([REQUEST])):
                with pytest.raises(ApiError, match=f"answered {status}; redirects are not followed"):
                    await change
        assert client.retries == 0
        assert other.seen == []


async def test_a_few_redirects_within_the_origin_are_followed_with_the_key() -> None:
    script = [moved("/a"), moved("b"), moved("/v1/c", 307), reply(200, b"{}\n")]
    async with Server(script) as server, client_of(server) as client:
        assert await read_results(client, "/results/1") == b"{}\n"
    assert [target.split()[1] for target in targets(server)] == ["/results/1", "/a", "/b", "/v1/c"]
    assert key_in_headers(server) == [True] * 4


async def test_a_loop_of_redirects_ends() -> None:
    async with Server([moved("/again")]) as server, client_of(server) as client:
        with pytest.raises(TransportError, match="redirected more than 3 times"):
            await client.retrieve("msgbatch_1")
    assert len(server.seen) == 4


async def test_a_trusted_host_is_asked_without_the_key() -> None:
    async with Server([reply(200, b"{}\n")]) as other, Server([moved(f"{other.url}/signed?a=%7E")]) as server:
        trusted = [f"127.0.0.1:{other.port}"]
        async with client_of(server, trusted_hosts=trusted) as client:
            assert await read_results(client, f"{other.url}/p/%2E./r?sig=a%2Bb") == b"{}\n"
            assert await read_results(client) == b"{}\n"
    assert [seen.target for seen in other.seen] == ["/p/%2E./r?sig=a%2Bb", "/signed?a=%7E"]
    assert key_in_headers(other) == [False, False]
    assert key_in_headers(server) == [True]


async def test_what_left_without_the_key_comes_back_without_it() -> None:
    async with Server([reply(200, b"{}\n")]) as server, Server([moved(f"{server.url}/v1/batches")]) as other:
        async with client_of(server, trusted_hosts=[f"127.0.0.1:{other.port}"]) as client:
            await read_results(client, other.url)
    assert key_in_headers(server) == [False]


async def test_a_foreign_results_url_is_not_asked() -> None:
    async with Server([reply(200)]) as other, Server([reply(200)]) as server, client_of(server) as client:
        with pytest.raises(UntrustedHostError, match="nothing was sent there"):
            await read_results(client, f"{other.url}/results")
        assert other.seen == server.seen == []


async def test_a_trusted_host_that_wants_a_key_is_no_refusal_of_ours() -> None:
    async with Server([refusal(403)]) as other, Server([reply(200)]) as server:
        trusted = [f"127.0.0.1:{other.port}"]
        async with client_of(server, trusted_hosts=trusted) as client:
            with pytest.raises(ApiError, match="the key is not sent to that host") as caught:
                await read_results(client, other.url)
    assert type(caught.value) is ApiError
    assert f"127.0.0.1:{other.port} answered 403" in str(caught.value)


async def test_a_session_that_carries_a_key_is_not_used_for_another_host() -> None:
    async with (
        Server([reply(200)]) as other,
        Server([reply(200)]) as server,
        aiohttp.ClientSession(headers={"X-Api-Key": KEY}) as session,
        client_of(server, session=session, trusted_hosts=[f"127.0.0.1:{other.port}"]) as client,
    ):
        with pytest.raises(UntrustedHostError, match="give the key to the client"):
            await read_results(client, other.url)
        assert other.seen == []


async def test_a_key_that_a_server_echoes_is_masked() -> None:
    echo = f"you sent {KEY}"
    page = reply(200, b" " * 190 + echo.encode(), content_type=f"text/html; {KEY}")
    script = [
        refusal(400, kind="bad", error_code=KEY),
        reply(400, {"type": "error", "error": {"type": KEY, "message": "x" * 295 + KEY}, "request_id": KEY}),
        reply(418, echo.encode()),
        page,
        page,
        page,
    ]
    async with Server(script) as server, client_of(server) as client:
        for _ in range(4):
            with pytest.raises(StreamerError) as caught:
                await read_results(client)
            assert KEY not in f"{caught.value!r} {vars(caught.value)}"
            assert KEY[:12] not in str(caught.value)
            assert "****" in str(caught.value)


def crash_report(error: BaseException) -> str:
    """Everything that an error holds on to: itself, what it came from, and the locals of every frame but the tests'."""
    seen: list[str] = [repr(error), str(error), repr(vars(error)), repr(error.args)]
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    pending = [report]
    while pending:
        part = pending.pop()
        seen += [
            f"{name}={text}"
            for frame in part.stack
            if "/tests/" not in frame.filename
            for name, text in (frame.locals or {}).items()
        ]
        seen += list(part.format_exception_only())
        pending += [other for other in (part.__cause__, part.__context__) if other is not None]
    with contextlib.suppress(TypeError):  # what cannot be pickled tells nothing
        seen.append(repr(pickle.dumps(error)))
    return "\n".join(seen)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        refusal(500),
        refusal(401),
        refusal(404),
        refusal(429, error_code="contract_spend_limit_reached"),
        sends(b"\x00garbage\r\n\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 10_000 + b"\r\n\r\n"),
        sends(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"),
        stalls(),
        stalls(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"),
        moved("http://other.example/"),
        moved("/loop"),
        reply(200, b"<html>", content_type="text/html"),
    ],
)
@pytest.mark.parametrize("bearer", [False, True])
async def test_no_error_holds_the_key(answer: Reply, bearer: bool) -> None:
    short = Timeouts(connect=5.0, answer=0.1, upload=0.1, silence=0.05)
    uses: list[Use] = [
        lambda client: client.retrieve("msgbatch_1"),
        lambda client: client.list_page(),
        lambda client: client.cancel("msgbatch_1"),
        lambda client: client.delete("msgbatch_1"),
        lambda client: client.create([REQUEST]),
        read_results,
    ]
    async with (
        Server([answer]) as server,
        Client(
            api_key=None if bearer else KEY,
            auth_token=KEY if bearer else None,
            base_url=server.url,
            options=ClientOptions(timeouts=short, retry=RetryPolicy(attempts=1)),
        ) as client,
    ):
        for use in uses:
            with pytest.raises(StreamerError) as caught:
                await use(client)
            report = crash_report(caught.value)
            assert KEY not in report
            assert "request_info" not in report
            assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)
    assert server.seen
    assert all(key_in_headers(server))


async def test_no_error_holds_the_key_when_nobody_listens() -> None:
    async with Server([None]) as server:
        pass
    async with client_of(server, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(TransportError) as caught:
            await client.create([REQUEST])
    assert KEY not in crash_report(caught.value)


async def test_a_cancelled_request_does_not_hold_the_key() -> None:
    async with Server([stalls()]) as server, client_of(server) as client:
        for use in (client.retrieve("msgbatch_1"), read_results(client)):
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.05):
                    await use
            report = crash_report(caught.value)
            assert "aiohttp" in "".join(traceback.format_exception(caught.value))
            assert KEY not in report


def test_a_constructor_that_refuses_does_not_hold_the_key() -> None:
    refused: list[dict[str, Any]] = [
        {"base_url": "http://plain.example"},
        {"options": ClientOptions(requests_per_minute=0)},
        {"options": ClientOptions(trusted_hosts=["a/b"])},
    ]
    for arguments in refused:
        with pytest.raises(StreamerError) as caught:
            Client(api_key=KEY, **arguments)
        assert KEY not in crash_report(caught.value)
    for key in (f"{KEY}\n{KEY}", f"'{KEY}'"):
        with pytest.raises(StreamerError) as caught:
            Client(api_key=key)
        assert KEY not in crash_report(caught.value)


def everything_in(thing: object, seen: set[int]) -> list[str]:
    """The reprs of an object and of all that it holds, but for the text inside a `Secret`."""
    if id(thing) in seen or not type(thing).__module__.startswith("streamer"):
        return [repr(thing)]
    seen.add(id(thing))
    names = [
        *getattr(thing, "__dict__", {}),
        *(name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())),
    ]
    held = [getattr(thing, name) for name in names if name != "_text"]
    return [repr(thing), *(text for part in held for text in everything_in(part, seen))]


async def test_no_repr_of_a_client_holds_the_key_and_no_pickle_is_made() -> None:
    async with Server([reply(200, batch())]) as server, client_of(server) as client:
        await client.retrieve("msgbatch_1")
        shown = "\n".join(everything_in(client, set()))
        assert "****" in shown
        assert "RateLimiter" in shown
        assert KEY not in shown
        with pytest.raises(TypeError):
            pickle.dumps(client)
