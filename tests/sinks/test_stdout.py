from __future__ import annotations

import asyncio
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.errors import SinkError
from streamer.sinks import stdout
from streamer.sinks.base import PartWriter
from streamer.sinks.conformance import deliver, make_batch, make_block, make_record, make_records, no_leftovers, opened
from streamer.sinks.stdout import StdoutSink

ID = "msgbatch_1"
BIG = make_block(ID, [make_record(f"{ID}-big", "succeeded", "x" * 300_000)])  # more than a pipe holds


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue  # the test closed it


async def until_readable(descriptor: int) -> None:
    while not select.select([descriptor], [], [], 0)[0]:  # noqa: ASYNC110 - a thread writes to it
        await asyncio.sleep(0)


async def read_all(descriptor: int, size: int) -> bytes:
    """Read from a pipe in a thread, as a reader in another process would."""
    data = b""
    while len(data) < size:
        data += await asyncio.to_thread(os.read, descriptor, 1 << 20)
    return data


async def test_a_slow_reader_holds_up_its_writer_and_nobody_else(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    async with opened(StdoutSink(writing), ID) as writer:
        task = asyncio.create_task(writer.write(BIG))
        for _ in range(1000):  # the loop turns, while the pipe is full and nobody reads
            await asyncio.sleep(0)
        assert not task.done()
        assert await read_all(reading, len(BIG.data)) == BIG.data
        await task


async def test_a_writer_whose_reader_does_not_read_can_be_cancelled(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has torn, the next record does not stick to."""
    monkeypatch.setattr(stdout, "GRACE", 0.01)
    reading, writing = pipe
    after = make_block(ID, make_records(ID, 1).values())
    sink = StdoutSink(writing)
    async with no_leftovers():
        writer = await sink.open(make_batch(ID))
        task = asyncio.create_task(writer.write(BIG))
        await until_readable(reading)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await writer.close()
        await sink.close()
    torn = os.read(reading, 1 << 20)
    assert BIG.data.startswith(torn)
    async with opened(sink, ID) as second:
        await second.write(after)
    assert os.read(reading, 1 << 20) == b"\n" + after.data


async def test_a_writer_that_is_cancelled_ends_its_record_if_the_reader_lets_it(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    two = make_block(ID, [BIG.data[:-1], BIG.data[:-1]])
    async with opened(StdoutSink(writing), ID) as writer:
        task = asyncio.create_task(writer.write(two))
        await until_readable(reading)
        task.cancel()
        data = await read_all(reading, len(BIG.data))
        await asyncio.wait([task])
    os.close(writing)
    assert data + os.read(reading, 1 << 20) == BIG.data


async def test_nobody_reads_any_more(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    async with no_leftovers(), opened(StdoutSink(writing), ID) as writer:
        with pytest.raises(SinkError, match="nobody reads standard output any more") as raised:
            await writer.write(BIG)
    assert isinstance(raised.value.__cause__, BrokenPipeError)


async def test_standard_output_is_full_or_closed() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    async with opened(StdoutSink(full), ID) as writer:
        with pytest.raises(SinkError, match="standard output could not be written: No space left on device"):
            await writer.write(BIG)
    os.close(full)
    with pytest.raises(SinkError, match="standard output could not be written: Bad file descriptor"):
        await StdoutSink(full).open(make_batch(ID))


async def test_batches_take_turns_and_a_long_record_stays_whole(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    long = make_record(f"{ID}-long", "succeeded", "x" * 2_500_000)
    other = make_records("msgbatch_2", 200, filler=1000)
    size = len(long) + 1 + sum(len(record) + 1 for record in other.values())
    reader = asyncio.create_task(read_all(reading, size))
    sink = StdoutSink(writing)
    writer = await sink.open(make_batch(ID))
    assert isinstance(writer, PartWriter)
    for start in range(0, len(long), 100_000):
        await writer.write_part(long[start : start + 100_000])
    async with asyncio.TaskGroup() as group:
        group.create_task(deliver(sink, "msgbatch_2", other))
        group.create_task(writer.end_parts(keep=True))
    lines = (await reader).split(b"\n")
    assert sorted(lines) == sorted([b"", long, *other.values()])
    await writer.close()
    await sink.close()


async def test_no_room_for_a_long_record(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    async with no_leftovers(), opened(StdoutSink(pipe[1]), ID) as writer:
        assert isinstance(writer, PartWriter)
        monkeypatch.setattr(tempfile, "tempdir", "/dev/null/nowhere")
        with pytest.raises(SinkError, match="could not be put aside in /dev/null/nowhere"):
            await writer.write_part(b"{")
        await writer.end_parts(keep=False)


def test_into_a_real_program() -> None:
    """Through descriptor 1 of a process of its own, into `head`, which goes away early."""
    script = """
import asyncio
from streamer.errors import SinkError
from streamer.sinks.stdout import StdoutSink
from streamer.sinks.conformance import deliver, make_records

async def main():
    try:
        await deliver(StdoutSink(), "b", make_records("b", 3000, filler=2000))
    except SinkError as error:
        raise SystemExit(type(error.__cause__).__name__)

asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b"BrokenPipeError\n"
    assert first == make_records("b", 1, filler=2000)["b-0"] + b"\n"
