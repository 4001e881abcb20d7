"""What every sink must do, as tests: subclass `SinkConformance` in your own tests and give it your sink.

A sink that takes long records in parts subclasses `PartSinkConformance`.

    class TestMySink(SinkConformance):
        atomic = True
        resumes = True

        @pytest.fixture(autouse=True)
        def place(self, tmp_path):
            self.path = tmp_path

        def make_sink(self):
            return MySink(self.path)

        def delivered(self, batch_id):
            return [record for record in read_back(self.path, batch_id)]

Needs pytest and pytest-asyncio (any mode); nothing else of streamer imports this module.
"""
# ruff: noqa: D102, S101 - these are tests: each name says the fact, and asserts are what they are made of

from __future__ import annotations

import asyncio
import json
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from streamer.api.types import Batch
from streamer.results.block import Block
from streamer.results.record import Head
from streamer.sinks.base import PartWriter, Sink, Writer

RECORDS = 60  # of the batch that most tests deliver
PER_BLOCK = 7  # so that the last block is not a full one
LONG = "long " * 600_000  # the text of a record that is passed on in parts: 3 MB
PART = 250_000  # bytes
KINDS = ("succeeded", "errored", "canceled", "expired", "a_type_of_the_future")
TEXT = 'Grüße, 你好 \U0001f642\u2028 "quoted" \\ \n\r\t\x00 }{ </script>'
HEAD = msgspec.json.Decoder(Head)
DESCRIPTORS = Path("/proc/self/fd")  # where the system shows what is open; elsewhere descriptors are not counted


@pytest.mark.asyncio
class SinkConformance(ABC):
    """The contract of `streamer.sinks.base`, as tests.

    Attributes:
        atomic: nothing of a batch is to be seen before it is committed.
        resumes: what a writer took before it was closed without a commit is held by the next one, so nothing is ever
            delivered twice. A sink that leaves this False is delivered at least once.
    """

    atomic: bool = False
    resumes: bool = False

    @abstractmethod
    def make_sink(self) -> Sink:
        """A new sink, as a new process would make it; within one test always to the same place."""

    @abstractmethod
    def delivered(self, batch_id: str) -> list[bytes]:
        """The raw records of a batch that people see, in the order they were written, without their newlines."""

    async def test_records_arrive_with_their_own_bytes(self) -> None:
        records = make_records("msgbatch_bytes", RECORDS)
        async with no_leftovers():
            await self._run("msgbatch_bytes", records)
        assert self.delivered("msgbatch_bytes") == list(records.values())

    async def test_a_batch_without_records(self) -> None:
        async with no_leftovers():
            await self._run("msgbatch_empty", {})
        assert self.delivered("msgbatch_empty") == []

    async def test_a_source_that_ends_early_is_taken_up_again(self) -> None:
        records = make_records("msgbatch_early", RECORDS)
        first = dict(list(records.items())[: RECORDS // 2])
        await self._run("msgbatch_early", first, commit=False)
        if self.atomic:
            assert self.delivered("msgbatch_early") == []
        held = await self._run("msgbatch_early", records)
        assert set(held) == (set(first) if self.resumes else set())
        self._assert_complete("msgbatch_early", records)

    async def test_what_is_held_tells_the_types(self) -> None:
        records = make_records("msgbatch_types", RECORDS)
        held = await self._run("msgbatch_types", records, commit=False)
        assert held == {}
        held = await self._run("msgbatch_types", records)
        if self.resumes:
            assert held == {head.custom_id: head.result.type for head in map(HEAD.decode, records.values())}

    async def test_records_in_another_order_the_second_time(self) -> None:
        records = make_records("msgbatch_order", RECORDS)
        names = list(records)
        await self._run("msgbatch_order", {name: records[name] for name in names[10:40]}, commit=False)
        await self._run("msgbatch_order", {name: records[name] for name in reversed(names)})
        self._assert_complete("msgbatch_order", records)

    async def test_a_committed_batch_says_so(self) -> None:
        records = make_records("msgbatch_again", RECORDS)
        await self._run("msgbatch_again", records)
        async with no_leftovers(), opened(self.make_sink(), "msgbatch_again") as writer:
            assert writer.committed is self.resumes
            assert set(writer.held.ids) == (set(records) if self.resumes else set())
        assert self.delivered("msgbatch_again") == list(records.values())

    async def test_a_run_cancelled_anywhere_leaves_nothing_running(self) -> None:
        """The run is cancelled after more and more turns of the event loop, until it gets to its end."""
        turns, finished = 0, False
        while not finished:
            batch_id = f"msgbatch_cancel-{turns}"
            records = make_records(batch_id, RECORDS, filler=4000)
            async with no_leftovers():
                run = asyncio.create_task(self._run(batch_id, records))
                for _ in range(turns):
                    await asyncio.sleep(0)
                finished = run.done()
                run.cancel()
                await asyncio.wait([run])
            if self.atomic:
                assert self.delivered(batch_id) in ([], list(records.values()))
            await self._run(batch_id, records)
            self._assert_complete(batch_id, records)
            turns += 1 + turns // 6

    async def test_several_batches_at_once(self) -> None:
        batches = {name: make_records(name, RECORDS) for name in (f"msgbatch_many-{n}" for n in range(12))}
        async with no_leftovers():
            sink = self.make_sink()
            async with asyncio.TaskGroup() as group:
                for batch_id, records in batches.items():
                    group.create_task(deliver(sink, batch_id, records))
            await sink.close()
        for batch_id, records in batches.items():
            assert self.delivered(batch_id) == list(records.values())

    async def test_one_batch_that_breaks_off_does_not_harm_another(self) -> None:
        whole, broken = make_records("msgbatch_whole", RECORDS), make_records("msgbatch_broken", RECORDS)
        sink = self.make_sink()
        writer = await sink.open(make_batch("msgbatch_broken"))
        await writer.write(make_block("msgbatch_broken", broken.values()))
        task = asyncio.create_task(deliver(sink, "msgbatch_whole", whole))
        await asyncio.sleep(0)
        await writer.close()
        await task
        await sink.close()
        assert self.delivered("msgbatch_whole") == list(whole.values())

    async def test_whether_long_records_are_taken_in_parts_is_what_its_tests_say(self) -> None:
        async with opened(self.make_sink(), "msgbatch_parts") as writer:
            assert isinstance(writer, PartWriter) == isinstance(self, PartSinkConformance), "see the two classes here"

    async def _run(self, batch_id: str, records: dict[str, bytes], *, commit: bool = True) -> dict[str, str]:
        """Deliver a batch as a new process would; returns what was held before."""
        sink = self.make_sink()
        try:
            return await deliver(sink, batch_id, records, commit=commit)
        finally:
            await sink.close()

    def _assert_complete(self, batch_id: str, records: dict[str, bytes]) -> None:
        """Everything is there with its own bytes, and if the sink resumes, once."""
        delivered = Counter(self.delivered(batch_id))
        assert delivered.keys() == set(records.values())
        if self.resumes:
            assert set(delivered.values()) <= {1}


class PartSinkConformance(SinkConformance):
    """The contract of a sink whose writers are `PartWriter`s: that of every sink, and of records in parts."""

    async def test_long_records_in_parts(self) -> None:
        short = make_records("msgbatch_long", 3)
        kept, forgotten = (make_record(f"msgbatch_long-{name}", "succeeded", LONG) for name in ("kept", "forgotten"))
        async with no_leftovers(), opened(self.make_sink(), "msgbatch_long") as writer:
            assert isinstance(writer, PartWriter)
            await write_in_parts(writer, forgotten, keep=False)
            await writer.write(make_block("msgbatch_long", short.values()))
            await write_in_parts(writer, forgotten, keep=False)
            await write_in_parts(writer, kept, keep=True)
            await write_in_parts(writer, forgotten, keep=False)
            await writer.commit()
        assert self.delivered("msgbatch_long") == [*short.values(), kept]

    async def test_a_long_record_that_breaks_off(self) -> None:
        records = make_records("msgbatch_torn", 3)
        records["msgbatch_torn-long"] = long = make_record("msgbatch_torn-long", "succeeded", LONG)
        async with no_leftovers(), opened(self.make_sink(), "msgbatch_torn") as writer:
            assert isinstance(writer, PartWriter)
            await writer.write(make_block("msgbatch_torn", list(records.values())[:3]))
            await writer.write_part(long[:-1])
        held = await self._run("msgbatch_torn", records)
        assert set(held) == (set(list(records)[:3]) if self.resumes else set())
        self._assert_complete("msgbatch_torn", records)


async def deliver(sink: Sink, batch_id: str, records: dict[str, bytes], *, commit: bool = True) -> dict[str, str]:
    """Do with a sink what the pipeline does; returns what was held before, custom_id to type."""
    writer = await sink.open(make_batch(batch_id))
    try:
        held = dict(writer.held.ids)
        wanted = [raw for custom_id, raw in records.items() if custom_id not in held]
        for start in range(0, len(wanted), PER_BLOCK):
            await writer.write(make_block(batch_id, wanted[start : start + PER_BLOCK]))
        if commit and not writer.committed:
            await writer.commit()
    finally:
        await writer.close()
    return held


@asynccontextmanager
async def opened(sink: Sink, batch_id: str) -> AsyncIterator[Writer]:
    """A writer for one batch, closed in the end, and its sink too."""
    try:
        writer = await sink.open(make_batch(batch_id))
        try:
            yield writer
        finally:
            await writer.close()
    finally:
        await sink.close()


async def write_in_parts(writer: PartWriter, raw: bytes, *, keep: bool) -> None:
    """Write one record as the pipeline does when it is too long to be held."""
    for start in range(0, len(raw), PART):
        await writer.write_part(raw[start : start + PART])
    await writer.end_parts(keep=keep)


@asynccontextmanager
async def no_leftovers() -> AsyncIterator[None]:
    """Afterwards no more threads, tasks and descriptors than before."""
    threads, tasks, descriptors = set(threading.enumerate()), asyncio.all_tasks(), count_descriptors()
    yield
    assert set(threading.enumerate()) <= threads
    assert asyncio.all_tasks() <= tasks
    assert count_descriptors() <= descriptors


def count_descriptors() -> int:
    """How many descriptors this process has open; 0 where the system does not show it."""
    return len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS.is_dir() else 0


def make_batch(batch_id: str) -> Batch:
    """An ended batch."""
    return Batch(id=batch_id, processing_status="ended")


def make_block(batch_id: str, records: Iterable[bytes]) -> Block:
    """A block of raw records."""
    lines = list(records)
    heads = [HEAD.decode(line) for line in lines]
    data = b"".join(line + b"\n" for line in lines)
    return Block(batch_id, data, [head.custom_id for head in heads], [head.result for head in heads])


def make_record(custom_id: str, kind: str, text: str) -> bytes:
    """A raw record of any type, as the API spells it."""
    message = {"content": [{"type": "text", "text": text}], "usage": {"input_tokens": 1, "output_tokens": 2}}
    result = {"type": kind, "message": message} if kind == "succeeded" else {"type": kind}
    return json.dumps({"custom_id": custom_id, "result": result}, separators=(",", ":")).encode()


def make_records(batch_id: str, count: int, filler: int = 0) -> dict[str, bytes]:
    """Raw records by custom_id, among them the odd ones: unknown types, other spellings, any characters."""
    records = {}
    for number in range(count):
        custom_id = f"{batch_id}-{number}"
        raw = make_record(custom_id, KINDS[number % len(KINDS)], TEXT + "x" * filler)
        if number % 4 == 1:  # the same in another order, with spaces, and with its characters unescaped
            loose = json.loads(raw)
            raw = json.dumps({"result": loose["result"], "custom_id": custom_id}, ensure_ascii=False).encode()
        records[custom_id] = raw
    return records
