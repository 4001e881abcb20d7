"""Decoding beside the loop: the same bytes, bounded pieces, and no thread that outlives its download."""

import asyncio
import gzip
import random
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from streamer.api.errors import TransportError
from streamer.results.encoding import PIECE, decoder
from streamer.results.unpacking import decoded

PLAIN = random.Random(1).randbytes(300_000) + b"a" * 3_000_000


async def pieces(body: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize(("coding", "body"), [("identity", PLAIN), ("gzip", gzip.compress(PLAIN))])
async def test_what_comes_out_is_what_was_put_in(coding: str, body: bytes) -> None:
    found = [data async for data in decoded(pieces(body), decoder(coding))]
    assert b"".join(found) == PLAIN
    assert max(map(len, found)) <= PIECE


async def test_a_cut_body_is_told_after_what_came_whole() -> None:
    found = bytearray()
    with pytest.raises(TransportError, match="ended in the middle"):
        async for data in decoded(pieces(gzip.compress(PLAIN)[:-5]), decoder("gzip")):
            found += data
    assert found == PLAIN


async def test_damage_is_raised_where_it_is_read() -> None:
    body = bytearray(gzip.compress(PLAIN))
    body[-6] ^= 1
    with pytest.raises(TransportError, match="damaged"):
        async for _ in decoded(pieces(bytes(body)), decoder("gzip")):
            pass


async def test_others_run_while_it_decodes() -> None:
    turns = 0

    async def neighbour() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(neighbour())
    count = len([data async for data in decoded(pieces(gzip.compress(PLAIN)), decoder("gzip"))])
    task.cancel()
    assert turns >= count


async def test_leaving_early_waits_for_the_thread_and_says_nothing_of_damage_ahead() -> None:
    body = bytearray(gzip.compress(PLAIN))
    body[-6] ^= 1
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    async with aclosing(decoded(pieces(bytes(body), len(body)), decoder("gzip"))) as bodies:
        async for _ in bodies:
            break
    reading = decoder("gzip")
    task = asyncio.create_task(anext(decoded(pieces(gzip.compress(PLAIN)), reading)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert complaints == []
