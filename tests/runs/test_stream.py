"""The records of many batches as one iterator: each once, however it is read, or a sentence that says why not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streamer.api.client import Client
from streamer.errors import ConfigurationError, IncompleteError, StreamerError
from streamer.results.record import Record
from streamer.runs.options import RunOptions
from streamer.runs.stream import Records, stream
from tests.emulated import emulated
from tests.leftovers import nothing_left
from tests.runs.test_run import everything


async def test_the_records_of_all_batches_come_as_one_iterator() -> None:
    async with emulated(fill_ended=6, records=20) as (_, client, _clock):
        ids = [batch.id for batch in await everything(client)]
        async with stream(client, ids, RunOptions(concurrency=3)) as records:
            seen = [(record.batch_id, record.custom_id) async for record in records]
        assert len(seen) == len(set(seen)) == 120
        assert {batch_id for batch_id, _ in seen} == set(ids)
        assert records.report.complete


async def test_a_stream_that_is_not_complete_says_so_after_its_last_record() -> None:
    async with emulated(fill_ended=1, records=20) as (_, client, _clock):
        ids = [batch.id for batch in await everything(client)]
        seen = 0
        async with stream(client, [*ids, "no id"]) as records:
            with pytest.raises(IncompleteError, match="1 of 2 batches"):
                async for _ in records:
                    seen += 1
        assert seen == 20
        assert [batch.batch_id for batch in records.report.batches if not batch.complete] == ["no id"]


async def test_leaving_a_stream_early_leaves_nothing_behind() -> None:
    async with emulated(fill_ended=4, records=500, record_bytes=20_000) as (emulator, _, _clock), nothing_left():
        async with Client(api_key="test-key", base_url=emulator.base_url) as client:
            ids = [batch.id for batch in await everything(client)]
            async with stream(client, ids) as records:
                async for record in records:
                    assert record.raw
                    break


async def test_a_stream_that_was_not_entered_says_how_to_use_it() -> None:
    async with emulated() as (_, client, _clock):
        records = stream(client, [])
        with pytest.raises(ConfigurationError, match="async with"):
            async for _ in records:
                pass
        with pytest.raises(ConfigurationError, match="every record"):
            _ = records.report


@asynccontextmanager
async def streaming() -> AsyncIterator[Records]:
    """300 records of three batches."""
    async with emulated(fill_ended=3, records=100) as (_, client, _clock):
        async with stream(client, await everything(client)) as records:
            yield records


async def read(records: Records, most: int | None = None) -> list[str]:
    """The custom_ids of the next records."""
    seen: list[str] = []
    async for record in records:
        seen.append(f"{record.batch_id} {record.custom_id}")
        if len(seen) == most:
            break
    return seen


async def read_blocks(records: Records, most: int | None = None) -> list[str]:
    seen: list[str] = []
    count = 0
    async for block in records.blocks():
        seen += [f"{block.batch_id} {custom_id}" for custom_id in block.ids]
        count += 1
        if count == most:
            break
    return seen


async def test_reading_in_several_goes_brings_each_record_once() -> None:
    async with streaming() as records:
        seen = (
            await read(records, 7) + await read_blocks(records, 1) + await read(records, 1) + await read(records, 130)
        )
        seen += await read_blocks(records)
        assert len(seen) == len(set(seen)) == 300
        assert records.report.complete
        assert await read(records) == await read_blocks(records) == []


async def test_two_readers_at_once_are_refused_and_nothing_is_lost() -> None:
    async with streaming() as records:
        both = await asyncio.gather(read(records), read(records), return_exceptions=True)
        [refused] = [one for one in both if isinstance(one, BaseException)]
        assert isinstance(refused, ConfigurationError)
        assert "two tasks read this stream at once" in str(refused)
        [seen] = [one for one in both if isinstance(one, list)]
        assert len(seen) == len(set(seen)) == 300


async def test_readers_that_take_turns_share_the_records() -> None:
    async with streaming() as records:
        one, two = aiter(records), aiter(records)
        seen = Counter([(await anext(iterator)).custom_id for _ in range(150) for iterator in (one, two)])
        with pytest.raises(StopAsyncIteration):
            await anext(one)
        assert sum(seen.values()) == 300


async def test_a_reader_that_is_cancelled_while_it_waits_loses_nothing() -> None:
    async with streaming() as records:
        seen: list[Record] = []
        begun = asyncio.Event()

        async def reading() -> None:
            async for record in records:
                seen.append(record)
                begun.set()

        task = asyncio.create_task(reading())
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        assert len(seen) + len(await read(records)) == 300


async def test_a_stream_whose_task_is_cancelled_from_outside_raises_and_does_not_hang() -> None:
    async with emulated(fill_ended=3, records=100) as (_, client, _clock):
        for name in ("streamer stream", "streamer run 0", "streamer run 1", "streamer deliver 1"):
            endless = stream(client, await everything(client), RunOptions(follow=True))
            async with asyncio.timeout(30), endless as records:
                with pytest.raises(StreamerError, match="cancelled"):
                    async for _ in records:
                        for task in asyncio.all_tasks():
                            if task.get_name() == name:
                                task.cancel()
                with pytest.raises(ConfigurationError, match="every record"):
                    _ = records.report
                with pytest.raises(StreamerError, match="cancelled"):
                    await read(records)


async def test_a_stream_is_entered_once_and_read_inside() -> None:
    async with emulated(fill_ended=2, records=100) as (_, client, _clock):
        records = stream(client, await everything(client))
        async with records:
            await read(records, 20)
        with pytest.raises(ConfigurationError, match="this stream was left"):
            await read(records)
        with pytest.raises(ConfigurationError, match="entered before"):
            async with records:
                pass


async def test_what_ends_the_run_is_raised_to_every_reader() -> None:
    async def ids() -> AsyncIterator[str]:
        yield batch_id
        raise ValueError("no more ids")

    async with emulated(fill_ended=1, records=10) as (_, client, _clock):
        [batch] = await everything(client)
        batch_id = batch.id
        with pytest.raises(ValueError, match="no more ids"):
            async with stream(client, ids()) as records:
                for _ in range(2):
                    with pytest.raises(ValueError, match="no more ids"):
                        await read(records)
                await read_blocks(records)
