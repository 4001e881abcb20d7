from __future__ import annotations

import asyncio

import pytest

from streamer.errors import ConfigurationError
from streamer.results.block import Block
from streamer.results.record import Record
from streamer.sinks.conformance import deliver, make_block, make_records, opened
from streamer.sinks.queue import QueueSink

ID = "msgbatch_1"


async def test_a_consumer_gets_every_record_and_then_none_once() -> None:
    queue: asyncio.Queue[Record | None] = asyncio.Queue(maxsize=2)
    batches = {batch_id: make_records(batch_id, 20) for batch_id in ("b1", "b2")}
    taken: list[bytes] = []

    async def consume() -> None:
        while (record := await queue.get()) is not None:
            assert queue.qsize() <= 2
            taken.append(record.raw)

    async def produce() -> None:
        sink = QueueSink(queue)
        async with asyncio.TaskGroup() as group:
            for batch_id, records in batches.items():
                group.create_task(deliver(sink, batch_id, records))
        await sink.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(produce())
    assert sorted(taken) == sorted(raw for records in batches.values() for raw in records.values())
    assert queue.empty()


async def test_a_full_queue_holds_up_the_writer() -> None:
    queue: asyncio.Queue[Record | None] = asyncio.Queue(maxsize=3)
    async with asyncio.timeout(30), opened(QueueSink(queue), ID) as writer:
        task = asyncio.create_task(writer.write(make_block(ID, make_records(ID, 5).values())))
        for _ in range(100):
            await asyncio.sleep(0)
        assert (queue.qsize(), task.done()) == (3, False)
        assert repr(QueueSink(queue)) == "QueueSink(3 of 3 waiting, per='record')"
        for _ in range(3):
            queue.get_nowait()
        await task


async def test_whole_blocks() -> None:
    queue: asyncio.Queue[Block | None] = asyncio.Queue(maxsize=3)
    block = make_block(ID, make_records(ID, 5).values())
    async with opened(QueueSink(queue, per="block"), ID) as writer:
        await writer.write(block)
    assert [queue.get_nowait(), queue.get_nowait()] == [block, None]


async def test_a_cancelled_run_does_not_wait_for_a_consumer_that_is_gone() -> None:
    queue: asyncio.Queue[Record | None] = asyncio.Queue(maxsize=3)

    async def produce() -> None:
        async with opened(QueueSink(queue), ID) as writer:
            await writer.write(make_block(ID, make_records(ID, 5).values()))

    task = asyncio.create_task(produce())
    for _ in range(100):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=30)
    assert task.cancelled()
    assert None not in [queue.get_nowait() for _ in range(3)]


def test_a_queue_without_a_bound_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no bound"):
        QueueSink(asyncio.Queue())
    with pytest.raises(ConfigurationError, match="'record' or 'block', not 'line'"):
        QueueSink(asyncio.Queue(maxsize=1), per="line")  # type: ignore[arg-type]  # that is the mistake
