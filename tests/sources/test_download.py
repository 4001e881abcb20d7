"""One download of a batch's results from a real server: what it yields, where it goes on, and when it must not."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from contextlib import aclosing

import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import RetryPolicy
from streamer.api.types import Batch, RequestCounts
from streamer.errors import ApiError, ResultsError, StreamerError, TransportError
from streamer.results.block import Block, Reject
from streamer.results.reader import LongPart
from streamer.sources.download import Begin, Position, download
from tests.answers.made import record
from tests.api.servers import Reply, Seen, Server, pours, refusal, sends
from tests.leftovers import nothing_left

RECORDS = [record(f"r{n}", "succeeded", "x" * 60 * n) for n in range(8)]
BODY = b"\n".join(RECORDS)  # like the service: no newline at its end
IDS = [f"r{n}" for n in range(8)]
STRONG = {"etag": '"v1"', "accept-ranges": "bytes"}


def answer(status: int, body: bytes, headers: Mapping[str, str] | None = None, *, length: int | None = None) -> bytes:
    """An answer with results, `length` bytes of them if that is not how many there are."""
    fields = {"content-type": "application/x-jsonl", "content-length": str(len(body) if length is None else length)}
    fields |= headers or {}
    head = f"HTTP/1.1 {status} Whatever\r\n" + "".join(f"{name}: {text}\r\n" for name, text in fields.items())
    return head.encode() + b"\r\n" + body


def cut_at(end: int, headers: Mapping[str, str] | None = None) -> Reply:
    """All of the body is announced, and the connection closes after `end` bytes."""
    return sends(answer(200, BODY[:end], headers, length=len(BODY)))


def part(start: int, headers: Mapping[str, str] | None = None, *, named: str = "") -> bytes:
    """The rest of the body, from `start` on; `named` is its range, if not the right one."""
    named = named or f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
    return answer(206, BODY[start:], {"content-range": named, **(headers or {})})


class Downloads:
    """Downloads of one batch from a server with this script, one after another, each going on if that is possible."""

    def __init__(self, *script: Reply) -> None:
        self.script: Sequence[Reply] = script
        self.position = Position()
        self.starts: list[int] = []
        self.pieces: list[list[Block | Reject | LongPart]] = []
        self.errors: list[StreamerError | None] = []
        self.seen: list[Seen] = []

    async def run(self, *, max_record_bytes: int = 100_000) -> None:
        async with nothing_left(), Server(self.script) as server:
            options = ClientOptions(retry=RetryPolicy(attempts=1))
            async with Client(api_key="test-key", base_url=server.url, options=options) as client:
                batch = Batch(
                    id="msgbatch_1",
                    processing_status="ended",
                    request_counts=RequestCounts(succeeded=8),
                    results_url=f"{server.url}/v1/messages/batches/msgbatch_1/results",
                )
                for _ in self.script:
                    await self._once(client, batch, max_record_bytes)
            self.seen = server.seen

    async def _once(self, client: Client, batch: Batch, max_record_bytes: int) -> None:
        found: list[Block | Reject | LongPart] = []
        self.pieces.append(found)
        error: StreamerError | None = None
        try:
            async with aclosing(download(client, batch, self.position, max_record_bytes=max_record_bytes)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Begin):
                        self.starts.append(piece.offset)
                    else:
                        found.append(piece)
        except StreamerError as raised:
            error = raised
        self.errors.append(error)

    def ids(self, number: int) -> list[str]:
        """The custom_ids of the records that a download brought."""
        return [custom_id for piece in self.pieces[number] if not isinstance(piece, Reject) for custom_id in piece.ids]

    def asked(self, number: int) -> tuple[str | None, str | None]:
        headers = self.seen[number].headers
        return headers.get("range"), headers.get("if-range")


async def test_a_whole_body_gives_every_record_with_its_own_bytes() -> None:
    one = Downloads(answer(200, BODY))
    await one.run()
    assert (one.errors, one.starts, one.ids(0)) == ([None], [0], IDS)
    blocks = [piece.data for piece in one.pieces[0] if isinstance(piece, Block)]
    assert b"".join(blocks) == BODY + b"\n"


@pytest.mark.parametrize("end", [len(RECORDS[0]), len(RECORDS[0]) + 1, 700, 1200, len(BODY) - 1])
async def test_what_broke_off_is_gone_on_with_where_a_record_ended(end: int) -> None:
    taken = max(BODY.rfind(b"\n", 0, end), 0)  # where the last record ended whose newline came, too
    rest = part(taken, STRONG) if taken else answer(200, BODY, STRONG)
    two = Downloads(cut_at(end, STRONG), rest)
    await two.run()
    assert isinstance(two.errors[0], TransportError)
    assert two.errors[1] is None
    assert two.asked(0) == (None, None)
    assert two.asked(1) == ((f"bytes={taken}-", '"v1"') if taken else (None, None))
    assert two.starts == [0, taken]
    assert two.ids(0) + two.ids(1) == IDS
    if taken:
        assert two.seen[1].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "headers",
    [
        {"etag": 'W/"v1"', "accept-ranges": "bytes"},
        {"etag": '"v1"'},
        {"etag": '"v1"', "accept-ranges": "none"},
        {"accept-ranges": "bytes"},
    ],
)
async def test_without_a_strong_validator_and_ranges_it_begins_again(headers: dict[str, str]) -> None:
    two = Downloads(cut_at(1200, headers), answer(200, BODY, headers))
    await two.run()
    assert two.asked(1) == (None, None)
    assert (two.starts, two.ids(1)) == ([0, 0], IDS)


async def test_a_compressed_body_is_never_gone_on_with_by_a_range() -> None:
    packed = gzip.compress(BODY)
    headers = {**STRONG, "content-encoding": "gzip"}
    broken = sends(answer(200, packed[:-20], headers, length=len(packed)))
    two = Downloads(broken, answer(200, packed, headers))
    await two.run()
    assert isinstance(two.errors[0], TransportError)
    assert two.asked(1) == (None, None)
    assert two.ids(1) == IDS


TAKEN = BODY.rfind(b"\n", 0, 1200)


@pytest.mark.parametrize(
    "wrong",
    [
        part(TAKEN - 5, STRONG),
        part(TAKEN, STRONG, named=f"bytes {TAKEN}-{len(BODY) - 10}/{len(BODY)}"),
        part(TAKEN, STRONG, named=f"bytes {TAKEN}-{len(BODY) - 1}/*"),
        answer(206, BODY[TAKEN:], STRONG),
        part(TAKEN, {**STRONG, "etag": '"v2"'}),
        part(TAKEN),
        part(TAKEN, {**STRONG, "content-encoding": "gzip"}),
    ],
    ids=["another start", "not to the end", "no total", "no range named", "another etag", "no etag", "encoded"],
)
async def test_a_part_that_is_not_the_one_asked_for_is_thrown_away_and_all_is_fetched_again(wrong: bytes) -> None:
    three = Downloads(cut_at(1200, STRONG), wrong, answer(200, BODY, STRONG))
    await three.run()
    assert three.asked(1) == (f"bytes={TAKEN}-", '"v1"')
    assert isinstance(three.errors[1], TransportError)
    assert f"from byte {TAKEN:,} on and sent something else" in str(three.errors[1])
    assert three.pieces[1] == []
    assert three.asked(2) == (None, None)
    assert (three.starts, three.ids(2)) == ([0, 0], IDS)


async def test_a_server_that_sends_all_of_it_is_read_from_the_beginning() -> None:
    two = Downloads(cut_at(1200, STRONG), answer(200, BODY, {**STRONG, "etag": '"v2"'}))
    await two.run()
    assert (two.starts, two.ids(1), two.position.validator) == ([0, 0], IDS, '"v2"')


async def test_results_that_have_become_shorter_are_fetched_from_the_beginning() -> None:
    three = Downloads(cut_at(1200, STRONG), refusal(416), answer(200, BODY, STRONG))
    await three.run()
    assert isinstance(three.errors[1], TransportError)
    assert f"no longer reach to byte {TAKEN:,}" in str(three.errors[1])
    assert three.asked(2) == (None, None)
    assert three.ids(2) == IDS


async def test_a_416_that_no_range_asked_for_is_the_servers_own_fault() -> None:
    one = Downloads(refusal(416))
    await one.run()
    assert isinstance(one.errors[0], ApiError)


@pytest.mark.parametrize("max_record_bytes", [100_000, 300])
async def test_a_clean_end_in_the_middle_of_a_record_is_a_cut(max_record_bytes: int) -> None:
    one = Downloads(answer(200, BODY[:-7]))
    await one.run(max_record_bytes=max_record_bytes)
    assert isinstance(one.errors[0], TransportError)
    assert f"in the middle of a record, after {len(BODY) - 7:,} bytes" in str(one.errors[0])
    assert one.ids(0) == IDS[:-1]
    assert [piece for piece in one.pieces[0] if isinstance(piece, Reject)] == []


async def test_what_is_no_record_is_a_reject_in_its_place_and_the_rest_comes() -> None:
    body = RECORDS[0] + b"\n<html>\n" + RECORDS[1] + b"\n"
    one = Downloads(answer(200, body))
    await one.run()
    [reject] = [piece for piece in one.pieces[0] if isinstance(piece, Reject)]
    assert (reject.offset, reject.raw) == (len(RECORDS[0]) + 1, b"<html>")
    assert (one.errors, one.ids(0)) == ([None], IDS[:2])


async def test_blank_lines_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.sources.download.MOST_BLANK", 200_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-jsonl\r\nconnection: close\r\n\r\n"
    one = Downloads(pours(head + RECORDS[0], b"\n" * 10_000))
    async with asyncio.timeout(30):
        await one.run()
    assert isinstance(one.errors[0], ResultsError)
    assert "bytes of results came that hold no record; given up" in str(one.errors[0])
    assert one.ids(0) == ["r0"]
