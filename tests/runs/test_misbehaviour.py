"""Other people's code around a run (sinks, callbacks, observers, ids) cancels and raises what it likes.

Nothing that was not taken is reported as delivered, nothing hangs, and nothing is left behind.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamer.api.types import Batch
from streamer.errors import ConfigurationError, SinkError, StreamerError
from streamer.observer import Observer
from streamer.report import BatchReport, Outcome, RunReport
from streamer.results.accounting import Tally
from streamer.results.block import Block
from streamer.results.record import Record
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.base import Sink, Writer
from streamer.sinks.callback import CallbackSink
from streamer.sinks.checkpoint import CheckpointedSink
from streamer.sinks.file import FileSink
from tests.emulated import tidily_emulated
from tests.runs.test_run import everything

STEPS = ("open", "write", "commit", "close")


async def somebody_elses() -> None:
    """Wait for what another owner cancels, as a client's pool does when it is closed."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.cancel)
    await future


class Misbehaving(Sink):
    """Counts what it takes, and does something odd at one step of one batch."""

    def __init__(self, step: str, odd: Callable[[], Any], victim: str) -> None:
        self.step, self.odd, self.victim = step, odd, victim
        self.taken: list[str] = []

    async def do(self, step: str, batch_id: str) -> None:
        if (step, batch_id) == (self.step, self.victim):
            result = self.odd()
            if asyncio.iscoroutine(result):
                await result

    async def open(self, batch: Batch) -> Writer:
        await self.do("open", batch.id)
        return MisbehavingWriter(self, batch.id)


class MisbehavingWriter(Writer):
    def __init__(self, sink: Misbehaving, batch_id: str) -> None:
        super().__init__(Tally())
        self._sink, self._batch_id = sink, batch_id

    async def write(self, block: Block) -> None:
        await self._sink.do("write", self._batch_id)
        self._sink.taken += block.ids

    async def commit(self) -> None:
        await self._sink.do("commit", self._batch_id)

    async def close(self) -> None:
        await self._sink.do("close", self._batch_id)


def exits() -> None:
    raise SystemExit(0)


def raises_cancelled() -> None:
    raise asyncio.CancelledError


def raises_pools_cancelled() -> None:
    raise concurrent.futures.CancelledError


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("odd", [somebody_elses, raises_cancelled, raises_pools_cancelled, exits])
async def test_a_step_of_a_sink_that_did_not_happen_is_that_batches_failure(step: str, odd: Callable[[], Any]) -> None:
    async with tidily_emulated(fill_ended=3, records=20) as (client, clock):
        batches = await everything(client)
        sink = Misbehaving(step, odd, batches[1].id)
        async with asyncio.timeout(30):
            report = await run(client, batches, sink, clock=clock)
        assert not report.complete
        outcomes = {batch.batch_id: batch.outcome for batch in report.batches}
        assert outcomes == {
            batches[0].id: Outcome.DELIVERED,
            batches[1].id: Outcome.FAILED,
            batches[2].id: Outcome.DELIVERED,
        }
        [failed] = [batch for batch in report.batches if not batch.complete]
        assert "Misbehaving" in failed.error


async def test_a_plain_function_where_a_coroutine_belongs_and_a_writer_that_is_none_are_told() -> None:
    class Plain(Sink):
        def open(self, batch: Batch) -> Any:  # that is the mistake
            raise ValueError("not even awaited")

    class Junk(Sink):
        async def open(self, batch: Batch) -> Any:
            return None

    class Forgetful(Writer):
        def __init__(self) -> None:
            """Without super().__init__, as people forget."""

        async def write(self, block: Block) -> None: ...
        async def commit(self) -> None: ...
        async def close(self) -> None: ...

    class Careless(Sink):
        async def open(self, batch: Batch) -> Writer:
            return Forgetful()

    async with tidily_emulated(fill_ended=1, records=2) as (client, clock):
        for sink, says in [
            (Plain(), "Plain failed while opening: ValueError: not even awaited"),
            (Junk(), "Junk.open gave None, which is no streamer.Writer"),
            (Careless(), r"super\(\).__init__\(streamer.Tally\(\)\)"),
        ]:
            report = await run(client, await everything(client), sink, clock=clock)
            [batch] = report.batches
            assert batch.outcome == Outcome.FAILED
            with pytest.raises(AssertionError, match=says):
                raise AssertionError(batch.error)


async def cancels_itself(record: Record) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def cancels_itself_and_returns(record: Record) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def exits_later(record: Record) -> None:
    exits()


def exits_now(record: Record) -> None:
    exits()


def cancelled_now(record: Record) -> None:
    raises_cancelled()


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(
    "odd",
    [
        cancels_itself,
        cancels_itself_and_returns,
        exits_later,
        lambda record: exits(),
        lambda record: raises_cancelled(),
    ],
)
async def test_a_callback_that_ends_itself_has_not_taken_the_record_and_no_checkpoint_says_so(
    tmp_path: Path, odd: Callable[[Record], Any], concurrency: int
) -> None:
    taken: list[str] = []

    def steady(record: Record) -> None:
        taken.append(record.custom_id)

    async def at_the_last(record: Record) -> None:
        taken.append(record.custom_id)
        if len(taken) == 40:
            taken.pop()
            result = odd(record)
            if asyncio.iscoroutine(result):
                await result

    async with tidily_emulated(fill_ended=1, records=50, record_bytes=10_000) as (client, clock):
        [batch] = await everything(client)
        function = at_the_last if asyncio.iscoroutinefunction(odd) else plain_at_the_last(taken, odd)
        journal = tmp_path / "taken.sqlite"

        def sink(function: Callable[[Record], Any]) -> Sink:
            return CheckpointedSink(CallbackSink(function, concurrency=concurrency), journal, name="test")

        async with asyncio.timeout(30):
            report = await run(client, [batch.id], sink(function), clock=clock)
        assert [one.outcome for one in report.batches] == [Outcome.FAILED]
        report = await run(client, [batch.id], sink(steady), clock=clock)
        assert report.complete
        async with client.results(batch) as body:
            lines = b"".join([data async for data in body]).splitlines()
        assert set(taken) == {msgspec.json.decode(line)["custom_id"] for line in lines}


def plain_at_the_last(taken: list[str], odd: Callable[[Record], Any]) -> Callable[[Record], None]:
    def function(record: Record) -> None:
        taken.append(record.custom_id)
        if len(taken) == 40:
            taken.pop()
            odd(record)

    return function


@pytest.mark.parametrize("name", ["streamer run 0", "streamer run 1", "streamer deliver 0", "streamer ask 0"])
async def test_a_task_of_the_run_that_somebody_else_cancels_ends_the_run_with_a_sentence(
    tmp_path: Path, name: str
) -> None:
    class Cancelling(Observer):
        def polled(self, batch: Batch) -> None:
            self.cancel()

        def started(self, batch: Batch, report: BatchReport) -> None:
            self.cancel()

        def cancel(self) -> None:
            for task in asyncio.all_tasks():
                if task.get_name() == name:
                    task.cancel()

    async with tidily_emulated(fill_ended=3, records=50) as (client, clock):
        batches = await everything(client)
        if name == "streamer ask 0":
            asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(Cancelling().cancel))
        with pytest.raises(StreamerError, match="was cancelled, though nobody has cancelled what it belongs to"):
            async with asyncio.timeout(30):
                await run(client, batches, tmp_path / "{batch_id}.jsonl", clock=clock, observer=Cancelling())


@pytest.mark.parametrize("method", ["polled", "started", "finished"])
@pytest.mark.parametrize("error", [ValueError("by design"), asyncio.CancelledError(), SinkError("not a sink")])
async def test_what_an_observer_raises_ends_the_run_and_is_raised(
    tmp_path: Path, method: str, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    observer = Observer()
    setattr(observer, method, fail)
    async with tidily_emulated(fill_ended=2, records=5) as (client, clock):
        batches = await everything(client)
        expected = StreamerError if isinstance(error, asyncio.CancelledError) else type(error)
        with pytest.raises(expected):
            async with asyncio.timeout(30):
                await run(client, batches, tmp_path / "{batch_id}.jsonl", clock=clock, observer=observer)
        assert (await run(client, batches, tmp_path / "{batch_id}.jsonl", clock=clock)).complete


async def test_ids_that_break_off_are_never_all_there_were(tmp_path: Path) -> None:
    async def broken_off() -> AsyncIterator[str]:
        yield batches[0].id
        await somebody_elses()
        yield batches[1].id

    async with tidily_emulated(fill_ended=2, records=5) as (client, clock):
        batches = await everything(client)
        with pytest.raises(ConfigurationError, match="the batch ids broke off"):
            async with asyncio.timeout(30):
                await run(client, broken_off(), tmp_path / "{batch_id}.jsonl", clock=clock)


async def test_a_sink_that_keeps_a_cancellation_to_itself_does_not_keep_the_run_going() -> None:
    """`except BaseException` around a write, as people write it: the run ends after that write."""
    begun, blocks = asyncio.Event(), 0

    class Deaf(Misbehaving):
        async def do(self, step: str, batch_id: str) -> None:
            nonlocal blocks
            if step == "write":
                blocks += 1
                begun.set()
                with suppress(BaseException):
                    await asyncio.Event().wait()

    async with tidily_emulated(fill_ended=4, records=200, record_bytes=10_000) as (client, clock):
        batches = await everything(client)
        task = asyncio.create_task(run(client, batches, Deaf("", exits, ""), RunOptions(concurrency=1), clock=clock))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task], timeout=30)
        assert task.cancelled()
        assert blocks == 1


async def test_a_cancelled_run_whose_sink_fails_while_it_is_closed_is_cancelled_all_the_same() -> None:
    begun = asyncio.Event()

    class Stubborn(Misbehaving):
        async def do(self, step: str, batch_id: str) -> None:
            if step == "write":
                begun.set()
                await asyncio.Event().wait()
            if step == "close":
                raise ValueError("cannot be closed")

    opened: list[str] = []

    class Listening(Observer):
        def started(self, batch: Batch, report: BatchReport) -> None:
            opened.append(batch.id)

    async with tidily_emulated(fill_ended=4, records=20) as (client, clock):
        batches = await everything(client)
        running = run(
            client, batches, Stubborn("", exits, ""), RunOptions(concurrency=1), clock=clock, observer=Listening()
        )
        task: asyncio.Task[RunReport] = asyncio.create_task(running)
        await begun.wait()
        task.cancel()
        await asyncio.wait([task], timeout=30)
        assert task.cancelled()
        assert len(opened) == 1


async def test_the_sinks_of_a_run_that_somebody_ended_are_whole_in_the_next_one(tmp_path: Path) -> None:
    async with tidily_emulated(fill_ended=2, records=50) as (client, clock):
        batches = await everything(client)

        class Ending(Observer):
            def started(self, batch: Batch, report: BatchReport) -> None:
                for task in asyncio.all_tasks():
                    if task.get_name().startswith("streamer deliver"):
                        task.cancel()

        with pytest.raises(StreamerError):
            await run(client, batches, FileSink(tmp_path / "{batch_id}.jsonl"), clock=clock, observer=Ending())
        report = await run(client, batches, FileSink(tmp_path / "{batch_id}.jsonl"), clock=clock)
        assert report.complete
        assert report.records == {"succeeded": 100} or sum(report.records.values()) == 100
