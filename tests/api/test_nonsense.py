"""Answers that came whole and make no sense, or never end: what is read of them, and what the user sees."""

from __future__ import annotations

import gzip
import zlib

import pytest

from streamer.errors import ApiError, GatewayError, NotResultsError, TransportError
from tests.api.servers import Server, batch, pours, refusal, reply, sends
from tests.api.test_client import client_of
from tests.api.test_faults import ENDED, IMPATIENT, body_of


async def test_200_at_once_is_a_page_of_a_proxy() -> None:
    page = reply(200, b"<html>\x1b[31m log in \xff</html>", content_type="text/html; charset=utf-8")
    async with Server([page]) as server, client_of(server) as client:
        with pytest.raises(NotResultsError) as caught:
            await body_of(client)
        assert len(server.seen) == 3
        with pytest.raises(TransportError, match="what came is not a Batch: text/html"):
            await client.retrieve("msgbatch_1")
        assert len(server.seen) == 6
    message = str(caught.value)
    assert "answered 200, but what came is not results: text/html; charset=utf-8" in message
    assert "\\x1b[31m log in" in message
    assert "\x1b" not in message


@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_in_broken_utf_8_is_one_more_kind_of_nonsense(status: int) -> None:
    broken = reply(status, b'{"id":"msgbatch_1","type":"message_batch\xda","error":{"type":"\xff"}}')
    async with Server([broken]) as server, client_of(server) as client:
        with pytest.raises(GatewayError, match="msgbatch_1"):
            await client.retrieve("msgbatch_1")


async def test_a_page_that_goes_away_is_waited_out() -> None:
    page = reply(200, b"<xml/>", content_type="application/xml")
    async with Server([page, reply(200, b"{}\n", content_type="")]) as server, client_of(server) as client:
        assert await body_of(client) == b"{}\n"
    script = [page, reply(200, b'{"half'), reply(200, batch())]
    async with Server(script) as server, client_of(server) as client:
        await client.retrieve("msgbatch_1")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/x-jsonl",
        "application/jsonl",
        "application/x-ndjson",
        "application/octet-stream",
        "application/binary",
        "text/plain; charset=utf-8",
        "application/json",
    ],
)
async def test_content_types_that_results_come_with(content_type: str) -> None:
    async with Server([reply(200, b"{}\n", content_type=content_type)]) as server, client_of(server) as client:
        assert await body_of(client) == b"{}\n"


async def test_206_only_when_a_range_was_asked_for() -> None:
    part = reply(206, b"{}\n", {"content-range": "bytes 5-7/8"})
    async with Server([part]) as server, client_of(server) as client:
        with pytest.raises(NotResultsError, match="answered 206"):
            await body_of(client)
        async with client.results(ENDED, headers={"Range": "bytes=5-", "If-Range": '"tag"'}) as results:
            assert results.status == 206
            assert results.headers["content-range"] == "bytes 5-7/8"
            assert [chunk async for chunk in results] == [b"{}\n"]
    assert server.seen[-1].headers["range"] == "bytes=5-"


async def test_416_is_an_answer() -> None:
    async with Server([refusal(416)]) as server, client_of(server) as client:
        with pytest.raises(ApiError) as caught:
            await client.results(ENDED, headers={"range": "bytes=9-"}).__aenter__()
    assert caught.value.status == 416


async def test_an_endless_error_body_is_read_to_its_cap() -> None:
    endless = pours(b"HTTP/1.1 400 Bad\r\n\r\n", b"x" * 65536)
    async with Server([endless]) as server, client_of(server, retry=IMPATIENT) as client:
        for call in (client.retrieve("msgbatch_1"), body_of(client)):
            with pytest.raises(GatewayError, match='answered 400 with no content type: "xxx') as caught:
                await call
            assert len(str(caught.value)) < 500


async def test_an_endless_page_is_read_to_its_cap() -> None:
    endless = pours(b"HTTP/1.1 200 OK\r\n\r\n", b"[" * 65536)
    async with Server([endless]) as server, client_of(server) as client:
        with pytest.raises(TransportError, match="not a BatchPage, longer than 8,388,608 bytes"):
            await client.list_page()
        with pytest.raises(TransportError, match="not a Batch, longer than 1,048,576 bytes"):
            await client.retrieve("msgbatch_1")


async def test_a_decompression_bomb_is_read_to_its_cap() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([packer.compress(b" " * 2**20) for _ in range(256)]) + packer.flush()
    for status in (200, 400):
        answer = reply(status, bomb, {"content-encoding": "gzip"})
        async with Server([answer]) as server, client_of(server, retry=IMPATIENT) as client:
            with pytest.raises((TransportError, ApiError), match=r"longer than 1,048,576|answered 400"):
                await client.retrieve("msgbatch_1")
            if status == 400:
                with pytest.raises(GatewayError, match="application/json in gzip"):
                    await body_of(client)


def packed(status: int, answer: bytes) -> bytes:
    """The same answer with its body in gzip."""
    return reply(status, gzip.compress(answer.partition(b"\r\n\r\n")[2]), {"content-encoding": "gzip"})


async def test_json_and_errors_are_understood_when_compressed() -> None:
    refused = packed(400, refusal(400, kind="invalid_request_error"))
    async with (
        Server([packed(200, reply(200, batch())), refused]) as server,
        client_of(server) as client,
    ):
        assert (await client.retrieve("msgbatch_1")).id == "msgbatch_1"
        for call in (client.retrieve("msgbatch_1"), body_of(client)):
            with pytest.raises(ApiError, match="400 invalid_request_error: it broke"):
                await call


async def test_an_error_that_only_claims_to_be_compressed_is_told_by_its_status() -> None:
    async with Server([reply(403, b"no", {"content-encoding": "gzip"})]) as server, client_of(server) as client:
        with pytest.raises(GatewayError, match=r"answered 403 with application/json in gzip \(after 10 attempts\)$"):
            await body_of(client)


async def test_a_compressed_answer_that_is_cut_is_asked_for_again() -> None:
    whole = packed(200, reply(200, batch()))
    half = gzip.compress(reply(200, batch()).partition(b"\r\n\r\n")[2])[:-40]
    cut = reply(200, half, {"content-encoding": "gzip"})
    async with Server([cut, whole]) as server, client_of(server) as client:
        assert (await client.poll_batch("msgbatch_1")).retries == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nx-big: " + b"x" * 100_000 + b"\r\n\r\n",
        b"\x00\x01garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: minus\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    ],
)
async def test_garbage_instead_of_http_is_an_error_like_any_other(head: bytes) -> None:
    async with Server([sends(head)]) as server, client_of(server, retry=IMPATIENT) as client:
        with pytest.raises(TransportError, match="retrieve msgbatch_1: "):
            await client.retrieve("msgbatch_1")
        with pytest.raises(TransportError, match="results of msgbatch_1: "):
            await body_of(client)
