"""A server that sends a little now and then cannot hold a download for ever; our own slow sinks are left in peace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.throughput import Throughput
from streamer.api.transport import Timeouts
from streamer.api.types import Batch
from streamer.emulator.running import RunningEmulator, running
from streamer.errors import TransportError
from streamer.faults.running import running as faults
from streamer.results.record import Record
from streamer.runs.run import run
from streamer.sinks.callback import CallbackSink
from streamer.sinks.file import FileSink
from tests.api.servers import KEY, Server, reply
from tests.api.test_client import client_of
from tests.clock import FakeClock

ENDED = Batch("msgbatch_1", "ended", results_url="/results")
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
RECORD = b'{"custom_id":"%d","result":{"type":"canceled"}}\n'


def feed(meter: Throughput, waits: list[tuple[float, int]]) -> int | None:
    """After how many waits the meter says too slow; None when it never does."""
    return next((n for n, (seconds, size) in enumerate(waits, 1) if meter.too_slow(seconds=seconds, size=size)), None)


def test_a_byte_a_second_is_too_slow_after_a_minute() -> None:
    assert feed(Throughput(least=1024, window=60), [(1.0, 1)] * 1000) == 60


def test_a_byte_every_59_seconds_is_too_slow_too() -> None:
    assert feed(Throughput(least=1024, window=60), [(59.0, 1)] * 1000) == 2


def test_a_burst_at_the_start_buys_no_more_than_its_window() -> None:
    assert feed(Throughput(least=1024, window=60), [(0.0, 10**9), *[(1.0, 1)] * 1000]) == 1 + 2 * 60


def test_a_loop_that_was_held_up_for_an_hour_is_not_the_servers_fault() -> None:
    assert feed(Throughput(least=1024, window=60), [(0.01, 65536), (3600.0, 10), (0.01, 65536)] * 10) is None


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 1 << 20)), max_size=200))
def test_what_comes_at_the_least_rate_or_faster_never_trips(waits: list[tuple[float, int]]) -> None:
    assert feed(Throughput(least=1024, window=60), [(s, n + int(s * 1024) + 1) for s, n in waits]) is None


@given(st.lists(st.integers(0, 1 << 20), max_size=200))
def test_no_waiting_never_trips_whatever_comes(sizes: list[int]) -> None:
    assert feed(Throughput(least=1024, window=60), [(0.0, size) for size in sizes]) is None


class TickingClock(FakeClock):
    """Every look at it is `step` seconds after the one before."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self.step = step

    def monotonic(self) -> float:
        self.advance(self.step)
        return super().monotonic()


def drips(size: int, times: int) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """Send pieces so that each is read by itself."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        for _ in range(times):
            writer.write(b"%x\r\n%s\r\n" % (size, b"x" * size))
            await writer.drain()
            await asyncio.sleep(0.005)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return act


async def read(client: Client) -> AsyncIterator[bytes]:
    async with client.results(ENDED) as body:
        async for chunk in body:
            yield chunk


async def test_a_drip_is_ended_and_says_so() -> None:
    async with Server([drips(10, 1000)]) as server, client_of(server, TickingClock(5.0)) as client:
        with pytest.raises(TransportError, match=r"less than 1,024 B/s for 60 s after \d+ bytes of the body") as caught:
            [chunk async for chunk in read(client)]
    assert caught.value.received > 0


async def test_a_slow_sink_never_trips_it() -> None:
    clock = FakeClock()
    async with Server([drips(10, 20)]) as server, client_of(server, clock) as client:
        got = b""
        async for chunk in read(client):
            got += chunk
            clock.advance(3600.0)  # the sink takes its time
        assert got == b"x" * 200


async def test_the_waiting_for_headers_and_for_the_limiter_does_not_count() -> None:
    async with Server([drips(10, 5)]) as server, client_of(server, TickingClock(5.0)) as client:
        assert b"".join([chunk async for chunk in read(client)]) == b"x" * 50


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with running(fill_ended=1, records=200, record_bytes=600, retry_after=0) as emulator:
        yield emulator


LIMITS = Timeouts(connect=5.0, answer=5.0, silence=5.0, least_rate=100_000, rate_window=0.1)


async def test_a_drip_on_the_wire_is_begun_again_by_the_usual_rules(emulator: RunningEmulator, tmp_path: Path) -> None:
    with faults(emulator.base_url, "results:drip=5000,n=2") as proxy:
        async with Client(api_key=KEY, base_url=proxy.base_url, options=ClientOptions(timeouts=LIMITS)) as client:
            ids = [batch.id async for batch in client.list()]
            report = await run(client, ids, FileSink(str(tmp_path / "{batch_id}.jsonl")), clock=FakeClock())
        assert proxy.stats()["faults"] == {"results:drip=5000,n=2": 2}
    assert report.complete
    assert report.batches[0].downloads == 3
    assert len((tmp_path / f"{ids[0]}.jsonl").read_bytes().splitlines()) == 200


async def test_a_drip_without_end_is_an_incomplete_batch_that_says_why(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    with faults(emulator.base_url, "results:drip=2000") as proxy:
        async with Client(api_key=KEY, base_url=proxy.base_url, options=ClientOptions(timeouts=LIMITS)) as client:
            ids = [batch.id async for batch in client.list()]
            report = await run(client, ids, FileSink(str(tmp_path / "{batch_id}.jsonl")), clock=FakeClock())
    [batch] = report.batches
    assert not report.complete
    assert "less than 100,000 B/s for 0.1 s" in batch.error
    assert batch.downloads >= 8


async def test_a_sink_that_takes_hours_is_left_in_peace(emulator: RunningEmulator) -> None:
    clock = FakeClock()
    seen: set[str] = set()

    def dawdle(record: Record) -> None:
        seen.add(record.custom_id)
        clock.advance(3600.0)

    async with Client(api_key=KEY, base_url=emulator.base_url, clock=clock) as client:
        ids = [batch.id async for batch in client.list()]
        report = await run(client, ids, CallbackSink(dawdle), clock=clock)
    assert report.complete
    assert report.batches[0].downloads == 1
    assert len(seen) == 200


@pytest.mark.parametrize("fault", ["deflate_cut@60%", "deflate"])
async def test_deflate_is_neither_asked_for_nor_waited_for(
    emulator: RunningEmulator, tmp_path: Path, fault: str
) -> None:
    with faults(emulator.base_url, f"results:{fault}") as proxy:
        async with Client(api_key=KEY, base_url=proxy.base_url) as client:
            ids = [batch.id async for batch in client.list()]
            report = await run(client, ids, FileSink(str(tmp_path / "{batch_id}.jsonl")), clock=FakeClock())
    assert "encoded as 'deflate', which was not asked for" in report.batches[0].error


async def test_a_cut_deflate_answer_to_a_question_cannot_hang() -> None:
    limits = Timeouts(connect=5.0, answer=0.2, silence=5.0)
    cut = reply(200, b"x\x9c\xab", {"content-encoding": "deflate"})
    async with Server([cut]) as server, client_of(server, timeouts=limits) as client:
        with pytest.raises(TransportError):
            await client.retrieve("msgbatch_1")
