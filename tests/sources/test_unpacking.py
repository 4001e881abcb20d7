"""Decoding beside the loop: the same bytes, a bounded way ahead, and nothing that outlives its download."""

import asyncio
import gzip
import random
import sys
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from streamer.errors import ResultsError, TransportError
from streamer.sources.encoding import PIECE, Decoder, _zstd, decoder
from streamer.sources.unpacking import unpacked
from tests.leftovers import nothing_left

PLAIN = random.Random(1).randbytes(300_000) + b"a" * 3_000_000
PACKED = gzip.compress(PLAIN)
LONG = random.Random(2).randbytes(8 << 20)
PACKED_LONG = gzip.compress(LONG, compresslevel=1)

zstd = _zstd()
assert zstd is not None, "the tests need the extra `fast`"


class Body:
    """A body that gives `data` in chunks; it then ends, breaks off with `error`, or stalls."""

    def __init__(
        self, data: bytes, size: int = 50_000, *, error: Exception | None = None, stalls: bool = False
    ) -> None:
        self._chunks = iter([data[start : start + size] for start in range(0, len(data), size)])
        self._error = error
        self._stalls = stalls
        self.given = 0
        self.stalled = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        for chunk in self._chunks:
            self.given += len(chunk)
            return chunk
        if self._error is not None:
            raise self._error
        if self._stalls:
            self.stalled.set()
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(9):  # a connection takes its time to close
                    await asyncio.sleep(0)
        raise StopAsyncIteration


async def collect(body: Body, coding: str = "gzip") -> bytes:
    found = bytearray()
    async with nothing_left():
        await collect_into(found, body, coding)
    return bytes(found)


async def collect_into(found: bytearray, body: Body, coding: str = "gzip") -> None:
    async with unpacked(body, decoder(coding)) as pieces:
        async for piece in pieces:
            assert 0 < len(piece) <= PIECE
            found += piece


@pytest.mark.parametrize("missing", [(), ("isal",)])
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_what_comes_out_is_what_was_put_in(
    coding: str, missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert zstd is not None
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    packed = PACKED if coding == "gzip" else zstd.compress(PLAIN)
    assert await collect(Body(packed), coding) == PLAIN
    assert await collect(Body(packed, 7_001), coding) == PLAIN
    assert await collect(Body(packed, len(packed)), coding) == PLAIN


async def test_a_long_body_of_several_members() -> None:
    assert await collect(Body(PACKED_LONG + PACKED + PACKED_LONG, 100_000)) == LONG + PLAIN + LONG


async def test_a_body_that_is_not_encoded_is_itself() -> None:
    body = Body(PLAIN)
    async with unpacked(body, decoder("identity")) as pieces:
        assert pieces is body


async def test_a_cut_body_is_told_after_what_came_whole() -> None:
    found = bytearray()
    with pytest.raises(TransportError, match=f"ended in the middle of a gzip stream, after {len(PACKED) - 5:,} bytes"):
        await collect_into(found, Body(PACKED[:-5]))
    assert found == PLAIN
    with pytest.raises(TransportError, match="after 0 bytes"):
        await collect(Body(b""))


async def test_a_body_that_breaks_off_is_told_after_what_came_whole() -> None:
    found = bytearray()
    with pytest.raises(TransportError, match="reset by a peer"):
        await collect_into(found, Body(PACKED_LONG[:-5], error=TransportError("reset by a peer")))
    assert found == LONG


async def test_damage_is_raised_where_it_is_read() -> None:
    body = bytearray(PACKED_LONG)
    body[-6] ^= 1
    found = bytearray()
    with pytest.raises(TransportError, match="damaged near byte"):
        await collect_into(found, Body(bytes(body), error=TransportError("reset by a peer")))
    assert LONG.startswith(found)
    assert len(found) > len(LONG) - 2 * PIECE


async def test_damage_ends_the_reading_of_a_body_that_never_ends() -> None:
    with pytest.raises(TransportError, match="damaged near byte"):
        await collect(Body(b"not gzip" * 100_000, stalls=True))


async def test_a_bomb_is_not_followed() -> None:
    bomb = b"".join([gzip.compress(bytes(1 << 20))] * 80)
    with pytest.raises(ResultsError, match="over 200 times as many"):
        await collect(Body(bomb))


async def test_what_came_is_given_while_the_body_stalls() -> None:
    found = bytearray()
    async with nothing_left(), unpacked(Body(PACKED_LONG, stalls=True), decoder("gzip")) as pieces:
        async for piece in pieces:
            found += piece
            if found == LONG:
                break
    assert found == LONG


async def test_who_reads_slowly_holds_up_the_body() -> None:
    body = Body(PACKED_LONG)
    async with nothing_left(), unpacked(body, decoder("gzip")) as pieces:
        found = bytearray(await anext(pieces))
        before = -1
        while body.given > before:  # until neither the body nor the thread goes on
            before = body.given
            for _ in range(1000):
                await asyncio.sleep(0)
        assert body.given < 4 << 20
        async for piece in pieces:
            found += piece
    assert found == LONG


async def test_others_run_while_it_decodes() -> None:
    turns = 0

    async def neighbour() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(neighbour())
    async with unpacked(Body(PACKED), decoder("gzip")) as pieces:
        count = len([data async for data in pieces])
    task.cancel()
    assert turns >= count


async def test_leaving_early_says_nothing_of_what_failed_ahead() -> None:
    damaged = bytearray(PACKED)
    damaged[-6] ^= 1
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    for body in (
        Body(bytes(damaged), len(damaged)),
        Body(PACKED_LONG),
        Body(PACKED, 1 << 20, error=TransportError("reset by a peer")),
    ):
        async with nothing_left(), unpacked(body, decoder("gzip")) as pieces:
            await anext(pieces)
    assert complaints == []


async def test_an_error_of_who_reads_is_the_one_that_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        async with nothing_left(), unpacked(Body(PACKED_LONG), decoder("gzip")) as pieces:
            await anext(pieces)
            raise ZeroDivisionError


@pytest.mark.parametrize("times", [1, 2])
async def test_cancelling_at_any_turn_leaves_nothing(times: int) -> None:
    turns = 0
    finished = False
    while not finished:
        async with nothing_left():
            task = asyncio.create_task(collect(Body(PACKED_LONG)))
            for _ in range(turns):
                await asyncio.sleep(0)
            finished = task.done()
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([task])
            assert task.cancelled() or task.result() == LONG
        turns += 1 + turns // 2


async def test_cancelling_again_while_the_body_takes_its_time_to_close() -> None:
    async with nothing_left():
        body = Body(PACKED, stalls=True)
        task = asyncio.create_task(collect_into(bytearray(), body))
        await body.stalled.wait()
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        assert task.cancelled()


async def test_cancelled_while_the_thread_comes_to_its_end_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancellation is not forgotten over the error: who was cancelled must not go on."""
    working, may_end = threading.Event(), threading.Event()
    feed = Decoder.feed

    def slow(self: Decoder, data: bytes) -> Iterator[bytes]:
        for number, piece in enumerate(feed(self, data)):
            if number:
                working.set()
                assert may_end.wait(10)
            yield piece

    async def use() -> None:
        async with unpacked(Body(PACKED_LONG, len(PACKED_LONG)), decoder("gzip")) as pieces:
            await anext(pieces)
            while not working.is_set():  # noqa: ASYNC110 - it is set by a thread
                await asyncio.sleep(0.001)
            leaving.set()
            raise ZeroDivisionError

    monkeypatch.setattr(Decoder, "feed", slow)
    async with nothing_left():
        leaving = asyncio.Event()
        task = asyncio.create_task(use())
        await leaving.wait()
        for _ in range(2):
            task.cancel()
            for _ in range(9):
                await asyncio.sleep(0)
            assert not task.done()
        may_end.set()
        await asyncio.wait([task])
    assert task.cancelled()


async def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    async with asyncio.timeout(10):
        with pytest.raises(OSError, match="no thread for streamer-unpack: can't start new thread"):
            await collect(Body(PACKED_LONG))
