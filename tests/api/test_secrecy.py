"""The key goes to the API's origin and nowhere else: no other server, no message, no repr, no crash report."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
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
from streamer.errors import (
    ApiError,
    GatewayError,
    OutcomeUnknownError,
    StreamerError,
    TransportError,
    UntrustedHostError,
)
from streamer.sources.download import Position, download
from tests.api.servers import KEY, LONG_KEY, Reply, Server, batch, refusal, reply, sends, stalls, targets
from tests.api.test_client import REQUEST, client_of
from tests.api.test_masking import pieces_in
from tests.clock import FakeClock

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
        async with client_of(server, retry=RetryPolicy(attempts=2)) as client:
            for use in (client.retrieve("msgbatch_1"), client.list_page(), read_results(client)):
                with pytest.raises(GatewayError, match=f"--trust-host 127.0.0.1:{other.port}"):
                    await use
            for change in (client.cancel("msgbatch_1"), client.delete("msgbatch_1")):
                with pytest.raises(GatewayError, match=f"answered {status} .*; redirects are not followed"):
                    await change
            assert client.retries == 5
            with pytest.raises(OutcomeUnknownError, match=f"answered {status} .*; redirects are not followed"):
                await client.create([REQUEST])
            assert client.retries == 5
        assert other.seen == []


async def test_a_few_redirects_within_the_origin_are_followed_with_the_key() -> None:
    script = [moved("/a"), moved("b"), moved("/v1/c", 307), reply(200, b"{}\n")]
    async with Server(script) as server, client_of(server) as client:
        assert await read_results(client, "/results/1") == b"{}\n"
    assert [target.split()[1] for target in targets(server)] == ["/results/1", "/a", "/b", "/v1/c"]
    assert key_in_headers(server) == [True] * 4


async def test_a_loop_of_redirects_ends() -> None:
    once = RetryPolicy(attempts=1)
    async with Server([moved("/again")]) as server, client_of(server, retry=once) as client:
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


def echoes(at: int) -> list[Reply]:
    """Answers of a server that repeats the key, from the character `at` on, where an error shows what it says."""
    text = "." * at + LONG_KEY + "." * 50
    told = {"type": "error", "error": {"type": "x", "message": text}}
    return [
        reply(400, told),
        reply(400, {"type": "error", "error": {"type": text, "message": "x"}}),
        reply(400, {"type": "error", "error": {"type": "x", "message": "x", "details": {"error_code": text}}}),
        reply(400, {**told, "request_id": text}),
        reply(400, {"type": "error", "error": {"type": "x", "message": "x"}}, {"request-id": text}),
        reply(400, text.encode()),
        reply(400, gzip.compress(text.encode()), {"content-encoding": "gzip"}, content_type=f"text/{text}"),
        reply(400, b"x", {"content-encoding": text}),
        reply(200, text.encode(), content_type=f"text/html; {text}"),
        sends(f"HTTP/1.1 200 OK\r\n{text}\r\n\r\n".encode()),
        sends(f"HTTP/1.1 200 OK\r\nx: \0{text}\r\n\r\n".encode()),
        sends(f"{text}\r\n\r\n".encode()),
        sends(f"HTTP/1.1 {text}\r\n\r\n".encode()),
        sends(f"HTTP/1.1 200 OK\r\n{text}: {text * 100}\r\n\r\n".encode()),
        sends(f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{text}\r\n".encode()),
    ]


@pytest.mark.parametrize("cut", [80, 120, 200, 300])
async def test_no_cut_leaves_a_piece_of_a_key_that_a_server_echoes(cut: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamer")
    offsets = range(max(0, cut - len(LONG_KEY) - 2), cut + 2, 5)
    script = [answer for at in offsets for answer in echoes(at)]
    async with (
        Server(script) as server,
        Client(
            api_key=LONG_KEY,
            base_url=server.url,
            clock=FakeClock(),
            options=ClientOptions(retry=RetryPolicy(attempts=1)),
        ) as client,
    ):
        for _ in script:
            with pytest.raises(StreamerError) as caught:
                await read_results(client)
            assert pieces_in(f"{caught.value!r} {vars(caught.value)}") == []
        assert len(server.seen) == len(script)
    assert pieces_in(caplog.text) == []


async def test_no_line_that_is_logged_holds_a_piece_of_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamer")
    told = [{"type": "error", "error": {"type": "x", "message": "." * at + LONG_KEY}} for at in range(190, 302)]
    async with (
        Server([reply(529, answer) for answer in told]) as server,
        Client(
            api_key=LONG_KEY,
            base_url=server.url,
            clock=FakeClock(),
            options=ClientOptions(retry=RetryPolicy(attempts=len(told))),
        ) as client,
    ):
        with pytest.raises(ApiError):
            await client.retrieve("msgbatch_1")
    assert len(caplog.records) == len(told) - 1
    assert "trying again" in caplog.text
    assert pieces_in(caplog.text) == []


async def test_a_key_in_the_headers_of_results_is_in_no_error_about_them() -> None:
    for header, status in (("content-range", 206), ("etag", 206), ("content-encoding", 200)):
        script = [reply(status, b"{}", {header: "." * at + LONG_KEY}) for at in range(0, 82, 3)]
        async with (
            Server(script) as server,
            Client(api_key=LONG_KEY, base_url=server.url) as client,
        ):
            for _ in script:
                ended = Batch("msgbatch_1", "ended", results_url="/results")
                position = Position(offset=5, validator='"v"')
                with pytest.raises(StreamerError, match=r"sent something else|came encoded as") as caught:
                    async for _piece in download(client, ended, position, max_record_bytes=100):
                        pass
                assert pieces_in(str(caught.value)) == []


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


async def test_a_key_in_a_good_answer_is_masked_before_anybody_sees_it() -> None:
    echo = {"processing_status": f"sent {LONG_KEY}", "results_url": f"https://{LONG_KEY}.example/{LONG_KEY}"}
    echoed = batch("msgbatch_1", **echo)
    page = {"data": [echoed, batch(LONG_KEY)], "has_more": False, "first_id": LONG_KEY, "last_id": LONG_KEY}
    async with (
        Server([reply(200, echoed), reply(200, page)]) as server,
        Client(api_key=LONG_KEY, base_url=server.url, options=ClientOptions(allow_http=True)) as client,
    ):
        found = await client.retrieve("msgbatch_1")
        assert pieces_in(f"{found!r} {await client.list_page()!r}") == []
        with pytest.raises(UntrustedHostError) as caught:
            await read_results(client, found.results_url or "")
        assert pieces_in(str(caught.value)) == []


async def test_a_redirect_to_a_host_named_like_the_key_does_not_show_it() -> None:
    async with (
        Server([moved(f"https://{LONG_KEY[:60]}.example/")]) as server,
        Client(api_key=LONG_KEY, base_url=server.url, clock=FakeClock()) as client,
    ):
        with pytest.raises(GatewayError) as caught:
            await client.retrieve("msgbatch_1")
    assert pieces_in(str(caught.value).lower(), LONG_KEY.lower()) == []
