"""What goes wrong on the wire, and what the user sees."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import RetryPolicy
from streamer.api.transport import Timeouts
from streamer.api.types import Batch
from streamer.errors import (
    ApiError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    TransportError,
)
from tests.api.servers import (
    KEY,
    Reply,
    Server,
    batch,
    pours,
    refusal,
    reply,
    sends,
    stalls,
    targets,
)
from tests.api.test_client import REQUEST, client_of
from tests.clock import FakeClock

ENDED = Batch("msgbatch_1", "ended", results_url="/results")
SHORT = Timeouts(connect=5.0, answer=0.15, upload=0.15, silence=0.1)
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
IMPATIENT = RetryPolicy(attempts=2)


async def body_of(client: Client) -> bytes:
    async with client.results(ENDED) as results:
        return b"".join([chunk async for chunk in results])


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_a_burst_of_errors_is_waited_out(status: int) -> None:
    clock = FakeClock()
    async with Server([refusal(status)] * 3 + [reply(200, batch())]) as server, client_of(server, clock) as client:
        polled = await client.poll_batch("msgbatch_1")
        assert polled.retries == client.retries == 3
    assert len(clock.sleeps) == 3
    assert len(server.seen) == 4


async def test_a_line_that_is_down_is_waited_out() -> None:
    script: list[Reply] = [None, sends(b"HTTP/1.1 200 O"), sends(b"", then_reset=True), reply(200, batch())]
    async with Server(script) as server, client_of(server) as client:
        assert (await client.retrieve("msgbatch_1")).id == "msgbatch_1"
    assert len(server.seen) >= 4  # aiohttp repeats a GET once by itself on a connection that had been in use


async def test_429_with_retry_after_holds_everyone_back() -> None:
    clock = FakeClock()
    async with (
        Server([refusal(429, {"retry-after": "30"}), reply(200, batch())]) as server,
        client_of(server, clock, requests_per_minute=60) as client,
    ):
        await client.retrieve("msgbatch_1")
        assert 30 <= clock.monotonic() <= 31
        await client.retrieve("msgbatch_1")  # the burst that was left before the 429 is gone
        assert 31 <= clock.monotonic() <= 32


async def test_a_spend_limit_is_told_at_once() -> None:
    answer = refusal(429, kind="rate_limit_error", error_code="enforced_spend_limit_reached")
    async with Server([answer]) as server, client_of(server) as client:
        with pytest.raises(RateLimitError, match="spend limit is reached") as caught:
            await client.retrieve("msgbatch_1")
    assert caught.value.error_code == "enforced_spend_limit_reached"
    assert len(server.seen) == 1


async def test_x_should_retry_wins() -> None:
    async with Server([refusal(500, {"x-should-retry": "false"})]) as server, client_of(server) as client:
        with pytest.raises(ApiError, match="the API answered 500"):
            await client.retrieve("msgbatch_1")
    assert len(server.seen) == 1
    script = [refusal(400, {"x-should-retry": "true"}), reply(200, batch())]
    async with Server(script) as server, client_of(server) as client:
        await client.retrieve("msgbatch_1")


async def test_a_404_is_believed_after_a_while() -> None:
    clock = FakeClock()
    script = [refusal(404), refusal(404), reply(200, batch())]
    async with Server(script) as server, client_of(server) as client:
        await client.retrieve("msgbatch_1")
    async with Server([refusal(404, kind="not_found_error")]) as server, client_of(server, clock) as client:
        with pytest.raises(NotFoundError, match="check the id") as caught:
            await client.retrieve("msgbatch_1")
        assert sum(clock.sleeps) == pytest.approx(15)
        assert caught.value.attempts == len(server.seen) > 1
        with pytest.raises(NotFoundError):
            await body_of(client)
        assert sum(clock.sleeps) == pytest.approx(75)


async def test_no_connection_says_where_to_and_how_often() -> None:
    async with Server([None]) as server:
        pass
    async with client_of(server, retry=IMPATIENT) as client:
        with pytest.raises(TransportError) as caught:
            await client.retrieve("msgbatch_1")
    assert str(caught.value).startswith("retrieve msgbatch_1: no connection: ")
    assert str(caught.value).endswith(f"(127.0.0.1:{server.port}); gave up after 2 attempts")


async def test_a_host_that_does_not_exist() -> None:
    async with Client(
        api_key=KEY, base_url="https://nowhere.invalid", options=ClientOptions(retry=RetryPolicy(attempts=1))
    ) as client:
        with pytest.raises(TransportError, match=r"cannot be resolved \(nowhere.invalid\)"):
            await client.retrieve("msgbatch_1")


async def test_a_certificate_for_another_host_is_not_tried_again() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("other_host.pem"))
    async with Server([reply(200, batch())], tls=context) as server, client_of(server) as client:
        with pytest.raises(TransportError, match="certificate is not valid: self"):
            await client.retrieve("msgbatch_1")
        with pytest.raises(TransportError, match="certificate is not valid") as caught:
            await client.create([REQUEST])
        assert not isinstance(caught.value, OutcomeUnknownError)
        assert client.retries == 0
    assert server.seen == []


async def test_a_handshake_that_never_ends_is_no_connection() -> None:
    async with Server([stalls()]) as server:
        url = server.url.replace("http:", "https:")
        short = Timeouts(connect=0.1)
        async with Client(
            api_key=KEY, base_url=url, clock=FakeClock(), options=ClientOptions(timeouts=short, retry=IMPATIENT)
        ) as client:
            for call in (client.retrieve("msgbatch_1"), body_of(client), client.create([REQUEST])):
                with pytest.raises(TransportError, match=r"no connection within 0\.1 s .* after 2 attempts"):
                    await call


async def test_silence_before_the_headers_and_in_the_middle() -> None:
    script: list[Reply] = [stalls(), stalls(b"HTTP/1.1 200 OK\r\n"), stalls(CHUNKED + b"3\r\nabc"), reply(200, batch())]
    async with Server(script) as server, client_of(server, timeouts=SHORT) as client:
        await client.retrieve("msgbatch_1")
        assert client.retries >= 2
    async with Server([stalls()]) as server, client_of(server, timeouts=SHORT, retry=IMPATIENT) as client:
        with pytest.raises(TransportError, match=r"silent for 0.1 s|no answer within 0.15 s"):
            await body_of(client)
        with pytest.raises(OutcomeUnknownError, match=r"silent for 0.1 s|no answer within 0.15 s"):
            await client.create([REQUEST])


async def test_a_short_answer_that_breaks_off_is_asked_for_again() -> None:
    cut = b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{"
    script: list[Reply] = [sends(cut), sends(cut, then_reset=True), reply(200, batch())]
    async with Server(script) as server, client_of(server) as client:
        assert (await client.poll_batch("msgbatch_1")).retries == 2
    async with Server([sends(cut)]) as server, client_of(server, retry=IMPATIENT) as client:
        with pytest.raises(TransportError, match="retrieve msgbatch_1: the connection broke after 1 bytes"):
            await client.retrieve("msgbatch_1")
        with pytest.raises(OutcomeUnknownError, match="create a batch: the connection broke"):
            await client.create([REQUEST])


async def test_an_answer_that_drips_is_cut_off() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        while not writer.transport.is_closing():
            writer.write(b"1\r\n \r\n")
            await asyncio.sleep(0.01)

    async with Server([drip]) as server, client_of(server, timeouts=SHORT, retry=IMPATIENT) as client:
        with pytest.raises(TransportError, match=r"within 0\.15 s"):
            await client.retrieve("msgbatch_1")


@pytest.mark.parametrize("reset", [False, True])
async def test_results_cut_in_the_middle_tell_how_far_they_came(reset: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"
    async with Server([sends(head + b"x" * 300, then_reset=reset)]) as server, client_of(server) as client:
        received = b""
        with pytest.raises(TransportError, match="results of msgbatch_1: the connection broke") as caught:
            async with client.results(ENDED) as results:
                async for chunk in results:
                    received += chunk
    assert caught.value.received == len(received) <= 300
    assert len(server.seen) == 1


async def test_results_without_a_final_chunk_are_cut() -> None:
    async with Server([sends(CHUNKED + b"3\r\nabc\r\n")]) as server, client_of(server) as client:
        with pytest.raises(TransportError) as caught:
            await body_of(client)
    assert caught.value.received in (0, 3)


async def test_results_that_stall_end_with_an_error() -> None:
    async with Server([stalls(CHUNKED + b"3\r\nabc\r\n")]) as server, client_of(server, timeouts=SHORT) as client:
        with pytest.raises(TransportError, match=r"silent for 0.1 s after 3 bytes"):
            await body_of(client)


def endless(closed: asyncio.Event) -> Reply:
    """Results without end; `closed` is set when the client has gone."""

    async def act(writer: asyncio.StreamWriter) -> None:
        try:
            await pours(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n")(writer)
        finally:
            closed.set()

    return act


async def test_leaving_results_early_closes_the_connection() -> None:
    closed = asyncio.Event()
    async with Server([endless(closed)]) as server, client_of(server) as client:
        async with client.results(ENDED) as results:
            assert await anext(results)
        async with asyncio.timeout(10):
            await closed.wait()


async def test_cancelling_a_download_closes_the_connection() -> None:
    closed = asyncio.Event()
    begun = asyncio.Event()

    async def download(client: Client) -> None:
        async with client.results(ENDED) as results:
            async for _ in results:
                begun.set()

    async with Server([endless(closed)]) as server, client_of(server) as client, asyncio.timeout(10):
        task = asyncio.create_task(download(client))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed.wait()


async def test_closing_the_client_closes_what_is_open() -> None:
    closed = asyncio.Event()
    async with Server([endless(closed)]) as server, asyncio.timeout(10):
        client = client_of(server)
        async with client.results(ENDED) as results:
            assert await anext(results)
            await client.close()
            await closed.wait()
        await client.close()


async def test_a_create_refused_while_its_body_is_on_the_way() -> None:
    async def too_large(writer: asyncio.StreamWriter) -> None:
        writer.write(refusal(413, {"connection": "close"}, kind="request_too_large"))
        await writer.drain()
        await asyncio.sleep(0.2)

    big = {"custom_id": "a", "params": {"text": "x" * 2**25}}
    async with Server([too_large], reads_bodies=False) as server, client_of(server) as client:
        with pytest.raises(ApiError, match="413 request_too_large"):
            await client.create([big])
        assert client.retries == 0
    assert targets(server) == ["POST /v1/messages/batches"]


async def test_a_create_cut_before_its_last_byte_is_repeated() -> None:
    big = [{"custom_id": str(n), "text": "x" * 2**20} for n in range(32)]
    async with (
        Server([sends(b"", then_reset=True)], reads_bodies=False) as server,
        client_of(server, retry=RetryPolicy(attempts=3)) as client,
    ):
        with pytest.raises(TransportError, match="create a batch: ") as caught:
            await client.create(big)
        assert not isinstance(caught.value, OutcomeUnknownError)
    assert len(server.seen) == 3


async def test_polls_do_not_wait_behind_downloads() -> None:
    answers = [stalls(CHUNKED)] * 110 + [reply(200, batch())]
    async with Server(answers) as server, client_of(server) as client, asyncio.TaskGroup() as group:
        downloads = [group.create_task(body_of(client)) for _ in range(110)]
        await server.has_seen(110)
        assert (await client.retrieve("msgbatch_1")).id == "msgbatch_1"
        for download in downloads:
            download.cancel()
