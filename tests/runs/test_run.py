"""Many batches at once, on the emulator: run into sinks, stream as one iterator, and what is left when it stops."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.errors import AuthenticationError, ConfigurationError, SinkError
from streamer.observer import Observer
from streamer.report import BatchReport, Outcome
from streamer.results.block import Block
from streamer.results.record import Record
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.callback import CallbackSink
from streamer.sinks.file import FileSink
from streamer.sinks.queue import QueueSink
from tests.emulated import emulated
from tests.leftovers import nothing_left


async def truth(client: Client, batch: Batch) -> bytes:
    """The results of a batch as the server sends them, each record with its newline."""
    async with client.results(batch) as body:
        return b"".join([data async for data in body]) + b"\n"


async def everything(client: Client) -> list[Batch]:
    return [batch async for batch in client.list()]


async def test_batches_that_end_at_different_times_are_each_delivered_whole(tmp_path: Path) -> None:
    mix = "succeeded=0.8,errored=0.1,canceled=0.05,expired=0.05"
    async with emulated(fill=30, records=50, duration=600, mix=mix) as (emulator, client, clock):
        ids = [batch.id for batch in await everything(client)]
        sink = FileSink(tmp_path / "{batch_id}.jsonl")
        report = await run(client, ids, sink, RunOptions(concurrency=4), clock=clock)
        assert report.complete
        assert sum(report.records.values()) == 30 * 50
        assert set(report.records) == {"succeeded", "errored", "canceled", "expired"}
        assert {batch.outcome for batch in report.batches} == {Outcome.DELIVERED}
        assert emulator.stats()["requests"]["results"] == 30
        assert emulator.stats()["most_downloads"] <= 4
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{i}.jsonl" for i in ids)
        for batch in await everything(client):
            assert (tmp_path / f"{batch.id}.jsonl").read_bytes() == await truth(client, batch)


async def test_the_report_adds_up_tokens_by_model_as_the_records_say(tmp_path: Path) -> None:
    async with emulated(fill_ended=3, records=40) as (_, client, clock):
        ids = [batch.id for batch in await everything(client)]
        records: list[Record] = []
        report = await run(client, ids, CallbackSink(records.append), clock=clock)
        usages = [(r.result.message.model, r.result.message.usage) for r in records if r.result.message is not None]
        assert len(usages) == 120
        assert set(report.usage) == {model for model, _ in usages}
        for name, field in [
            ("input", "input_tokens"),
            ("output", "output_tokens"),
            ("cache_read", "cache_read_input_tokens"),
        ]:
            total = sum(getattr(tokens, name) for tokens in report.usage.values())
            assert total == sum(getattr(usage, field) or 0 for _, usage in usages)
        written = sum(tokens.cache_write_5m + tokens.cache_write_1h for tokens in report.usage.values())
        assert written == sum(usage.cache_creation_input_tokens or 0 for _, usage in usages)


async def test_a_second_run_delivers_nothing_and_asks_for_no_results(tmp_path: Path) -> None:
    async with emulated(fill_ended=5, records=10) as (emulator, client, clock):
        ids = [batch.id for batch in await everything(client)]
        for outcome in (Outcome.DELIVERED, Outcome.ALREADY_DELIVERED):
            report = await run(client, ids, FileSink(tmp_path / "{batch_id}.jsonl"), clock=clock)
            assert {batch.outcome for batch in report.batches} == {outcome}
            assert sum(report.records.values()) == 50
        assert emulator.stats()["requests"]["results"] == 5


async def test_one_lost_batch_is_reported_and_stops_no_other(tmp_path: Path) -> None:
    async with emulated(fill_ended=2, records=5) as (_, client, clock):
        ids = [batch.id for batch in await everything(client)]
        sink = FileSink(tmp_path / "{batch_id}.jsonl")
        report = await run(client, [*ids, "msgbatch_01unknown", "a b"], sink, clock=clock)
        assert not report.complete
        failed = {batch.batch_id: batch.error for batch in report.batches if not batch.complete}
        assert set(failed) == {"msgbatch_01unknown", "a b"}
        assert all(failed.values())
        assert len(list(tmp_path.iterdir())) == 2


async def test_polls_do_not_wait_behind_a_sink_that_blocks_every_download() -> None:
    """Batches end one after the other while the only download slot is held."""
    release = asyncio.Event()
    ended: set[str] = set()
    seen_all = asyncio.Event()

    class Watching(Observer):
        def polled(self, batch: Batch) -> None:
            if batch.ended:
                ended.add(batch.id)
                if len(ended) == 5:
                    seen_all.set()

    async def block(record: Record) -> None:
        await release.wait()

    async with emulated(fill=5, records=3, duration=600) as (_, client, clock):
        ids = [batch.id for batch in await everything(client)]
        work = asyncio.create_task(
            run(client, ids, CallbackSink(block), RunOptions(concurrency=1), clock=clock, observer=Watching())
        )
        await seen_all.wait()
        assert not work.done()
        release.set()
        assert (await work).complete


@pytest.mark.parametrize("after", [0.0, 0.01, 0.05, 0.2])
async def test_cancelling_an_embedding_task_anywhere_leaves_nothing_and_the_next_run_finishes(
    tmp_path: Path, after: float
) -> None:
    async with emulated(fill_ended=4, records=300, record_bytes=5000, results_rate=1_000_000) as (emulator, _, clock):
        del clock
        async with nothing_left(), Client(api_key="test-key", base_url=emulator.base_url) as client:
            ids = [batch.id for batch in await everything(client)]
            work = asyncio.create_task(run(client, ids, FileSink(tmp_path / "{batch_id}.jsonl")))
            await asyncio.wait([work], timeout=after)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        for path in tmp_path.glob("*.part"):
            kept = path.read_bytes()
            assert kept == b"" or kept.endswith(b"\n")
    async with emulated(fill_ended=4, records=300, record_bytes=5000) as (_, client, clock):
        report = await run(client, ids, FileSink(tmp_path / "{batch_id}.jsonl"), clock=clock)
        assert report.complete
        for batch in await everything(client):
            assert (tmp_path / f"{batch.id}.jsonl").read_bytes() == await truth(client, batch)


async def test_a_sink_that_raises_in_the_middle_leaves_nothing_and_harms_no_other_batch(tmp_path: Path) -> None:
    class Picky(FileSink):
        victim = ""

        async def open(self, batch: Batch) -> Any:
            writer = await super().open(batch)
            if batch.id == self.victim:
                whole = writer.write

                async def write(block: Block) -> None:
                    await whole(block)
                    raise OSError(28, "No space left on device")

                writer.write = write  # type: ignore[method-assign]
            return writer

    async with emulated(fill_ended=3, records=100) as (emulator, _, _clock):
        async with nothing_left(), Client(api_key="test-key", base_url=emulator.base_url) as client:
            batches = await everything(client)
            sink = Picky(tmp_path / "{batch_id}.jsonl")
            sink.victim = batches[1].id
            report = await run(client, [batch.id for batch in batches], sink)
            [failed] = [batch for batch in report.batches if not batch.complete]
            assert failed.batch_id == sink.victim
            assert "No space left on device" in failed.error
            again = await run(client, [sink.victim], FileSink(tmp_path / "{batch_id}.jsonl"))
            assert again.complete
            for batch in batches:
                assert (tmp_path / f"{batch.id}.jsonl").read_bytes() == await truth(client, batch)


async def test_a_sink_that_cannot_be_closed_is_named(tmp_path: Path) -> None:
    class Stuck(FileSink):
        async def close(self) -> None:
            await super().close()
            raise ValueError("the door is stuck")

    async with emulated(fill_ended=1, records=5) as (_, client, clock):
        [batch] = await everything(client)
        with pytest.raises(SinkError, match="Stuck failed while closing: ValueError: the door is stuck"):
            await run(client, [batch.id], Stuck(tmp_path / "{batch_id}.jsonl"), clock=clock)
        assert (tmp_path / f"{batch.id}.jsonl").read_bytes() == await truth(client, batch)


async def test_a_key_that_is_refused_midway_ends_the_run_with_one_clear_error(tmp_path: Path) -> None:
    async with emulated(fill_ended=3, key=("test-key",)) as (emulator, client, clock):
        ids = [batch.id for batch in await everything(client)]
        async with Client(api_key="test-other", base_url=emulator.base_url, clock=clock) as other:
            with pytest.raises(AuthenticationError) as caught:
                await run(other, ids, FileSink(tmp_path / "{batch_id}.jsonl"), clock=clock)
        assert "test-other" not in str(caught.value)


async def test_a_queue_gets_every_record_and_holds_the_download_back() -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=5)
    async with emulated(fill_ended=2, records=50) as (_, client, clock):
        ids = [batch.id for batch in await everything(client)]
        work = asyncio.create_task(run(client, ids, QueueSink(queue), clock=clock))
        seen = [await queue.get() for _ in range(100)]
        while not work.done():
            await asyncio.wait([work, getter := asyncio.ensure_future(queue.get())], return_when="FIRST_COMPLETED")
            getter.cancel()
        assert (await work).complete
        assert len({(record.batch_id, record.custom_id) for record in seen}) == 100


async def test_an_observer_hears_of_each_batch_and_sees_its_counters_grow(tmp_path: Path) -> None:
    class Listening(Observer):
        def __init__(self) -> None:
            self.started_ids: list[str] = []
            self.finished_reports: list[BatchReport] = []

        def started(self, batch: Batch, report: BatchReport) -> None:
            assert report.outcome == Outcome.STREAMING
            self.started_ids.append(batch.id)

        def finished(self, report: BatchReport) -> None:
            self.finished_reports.append(report)

    listening = Listening()
    async with emulated(fill_ended=3, records=10) as (_, client, clock):
        ids = [batch.id for batch in await everything(client)]
        sink = FileSink(tmp_path / "{batch_id}.jsonl")
        report = await run(client, [*ids, "no id"], sink, clock=clock, observer=listening)
        assert sorted(listening.started_ids) == sorted(ids)
        assert listening.finished_reports == report.batches


async def test_no_download_slot_is_a_mistake_of_the_caller() -> None:
    async with emulated() as (_, client, clock):
        with pytest.raises(ConfigurationError, match="concurrency"):
            await run(client, [], [], RunOptions(concurrency=0), clock=clock)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"batch_ids": "msgbatch_1"}, r"batch_ids is a collection of strings, not one string; write \['msgbatch_1'\]"),
        ({"only": "succeeded"}, "only is a collection"),
        ({"only": {"sucseeded"}}, "'sucseeded' is no type of result; they are succeeded, errored"),
        ({"poll_interval": 0.0}, "poll_interval must be more than 0"),
        ({"max_record_bytes": 0}, "max_record_bytes must be 1 or more"),
    ],
)
async def test_what_cannot_work_is_said_before_anything_is_asked(arguments: dict[str, Any], says: str) -> None:
    async with emulated(fill_ended=1) as (emulator, client, clock):
        with pytest.raises(ConfigurationError, match=says):
            ids = arguments.get("batch_ids", ["msgbatch_1"])
            options = {name: value for name, value in arguments.items() if name != "batch_ids"}
            await run(client, ids, [], RunOptions(**options), clock=clock)
        assert emulator.stats()["requests"] == {"stats": 1}


async def test_what_was_asked_for_is_held_against_what_was_answered(tmp_path: Path) -> None:
    async with emulated(duration=10) as (_, client, clock):

        def request(custom_id: str) -> dict[str, Any]:
            params = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
            return {"custom_id": custom_id, "params": params}

        one = await client.create([request("a"), request("b")])
        two = await client.create([request("c"), request("stray")])
        sink = FileSink(tmp_path / "{batch_id}.jsonl")
        report = await run(
            client, [one.id, two.id], sink, RunOptions(expected_ids=["a", "b", "c", "d", "e"]), clock=clock
        )
        assert not report.complete
        assert (report.missing, report.missing_ids) == (2, ["d", "e"])
        by_id = {batch.batch_id: batch for batch in report.batches}
        assert by_id[one.id].complete
        assert by_id[two.id].unknown_ids == ["stray"]
        assert by_id[two.id].outcome == Outcome.INCOMPLETE
        assert not (tmp_path / f"{two.id}.jsonl").exists()
        again = await run(
            client, [one.id, two.id], sink, RunOptions(expected_ids=["a", "b", "c", "stray"]), clock=clock
        )
        assert again.complete
        assert again.missing == 0
