"""The body of a create, streamed from a spool: the same bytes as if it had been made in memory."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.api.body import PART_BYTES, RequestBody
from streamer.api.client import Client
from streamer.errors import SubmissionError
from streamer.progress import Progress, Work
from streamer.requests.slices import Slice, split
from streamer.submission.spoolbody import SpoolBody


async def sent(body: SpoolBody) -> bytes:
    parts = [part async for part in body.parts()]
    assert all(parts)
    assert max(map(len, parts)) <= PART_BYTES + 16
    return b"".join(parts)


@given(st.lists(st.integers(1, 400_000), min_size=1, max_size=12), st.integers(1, 5))
def test_every_slice_is_its_requests_in_their_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], each: int
) -> None:
    spool = tmp_path_factory.mktemp("spool") / "requests.jsonl"
    requests = [{"custom_id": str(n), "params": "x" * size} for n, size in enumerate(sizes)]
    lines = [json.dumps(request).encode() + b"\n" for request in requests]
    spool.write_bytes(b"".join(lines))
    found = []
    for part in split(map(len, lines), max_requests=each):
        body = SpoolBody(spool, part)
        assert isinstance(body, RequestBody)
        data = asyncio.run(sent(body))
        assert len(data) == body.size
        found += json.loads(data)["requests"]
    assert found == requests


async def test_it_can_be_sent_again_and_leaves_no_thread(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.write_bytes(b'{"a":1}\n{"b":2}\n')
    body = SpoolBody(spool, Slice(0, 16, 2))
    before = threading.active_count()
    assert await sent(body) == await sent(body) == b'{"requests":[{"a":1},{"b":2}]}'
    assert threading.active_count() == before


async def test_a_cancellation_while_it_is_let_go_of_is_not_forgotten(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b'{"a":1}\n')
    parts = SpoolBody(tmp_path / "spool", Slice(0, 8, 1)).parts()
    assert isinstance(parts, AsyncGenerator)
    await anext(parts)
    task = asyncio.create_task(parts.aclose())
    await asyncio.sleep(0)
    in_time = task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() is in_time


async def test_how_much_of_it_was_taken_can_be_seen_and_begins_anew_when_it_is_sent_again(tmp_path: Path) -> None:
    line = b"x" * PART_BYTES + b"\n"
    (tmp_path / "spool").write_bytes(line * 3)
    progress = Progress(Work.SENDING)
    body = SpoolBody(tmp_path / "spool", Slice(0, 3 * len(line), 3), progress)
    assert (progress.done, progress.total) == (0, body.size)
    for _ in range(2):
        seen, taken = [], 0
        async for part in body.parts():
            assert progress.done == taken
            taken += len(part)
            seen.append(progress.done)
        assert len(seen) > 3
        assert progress.done == taken == body.size


@pytest.mark.parametrize("part", [Slice(0, 17, 2), Slice(0, 100, 3)])
def test_a_spool_that_is_too_short_is_refused_before_anything_is_sent(tmp_path: Path, part: Slice) -> None:
    (tmp_path / "spool").write_bytes(b'{"a":1}\n{"b":2}\n')
    with pytest.raises(SubmissionError, match="16 bytes"):
        SpoolBody(tmp_path / "spool", part)


def test_a_spool_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="gone"):
        SpoolBody(tmp_path / "gone", Slice(0, 1, 1))


@pytest.mark.parametrize("part", [Slice(0, 16, 1), Slice(0, 16, 3), Slice(0, 15, 1)])
async def test_the_last_byte_is_not_sent_when_the_requests_are_not_those_planned(tmp_path: Path, part: Slice) -> None:
    (tmp_path / "spool").write_bytes(b'{"a":1}\n{"b":2}\n')
    body = SpoolBody(tmp_path / "spool", part)
    got = bytearray()
    with pytest.raises(SubmissionError, match="planned"):
        async for data in body.parts():
            got += data
    assert len(got) < body.size


async def test_an_upload_that_is_given_up_in_the_middle_lets_go_of_the_spool_at_once(tmp_path: Path) -> None:
    """The server reads nothing, so that the body waits with a part in hand, and aiohttp forgets it there."""
    line = b'{"a":"%s"}\n' % (b"x" * (64 << 20))
    (tmp_path / "spool").write_bytes(line)
    silent = asyncio.Event()

    async def hear_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.transport.abort()

    before = set(threading.enumerate())
    server = await asyncio.start_server(hear_nothing, "127.0.0.1", 0, limit=1)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    async with server, Client(api_key="test-key", base_url=url) as client:
        progress = Progress(Work.SENDING)
        body = SpoolBody(tmp_path / "spool", Slice(0, len(line), 1), progress)
        create = asyncio.create_task(client.create(body))
        while not progress.done:  # noqa: ASYNC110 - nothing tells of a part
            await asyncio.sleep(0)
        for _ in range(1000):  # until the buffers are full
            await asyncio.sleep(0)
        create.cancel()
        await asyncio.wait([create])
        assert not [thread for thread in set(threading.enumerate()) - before if "streamer-read" in thread.name]
        silent.set()
