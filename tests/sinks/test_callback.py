from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest

from streamer.errors import ConfigurationError, SinkError
from streamer.results.block import Block
from streamer.results.record import Record
from streamer.sinks.callback import YIELD_EVERY, CallbackSink, callback_target
from streamer.sinks.conformance import deliver, make_block, make_records, no_leftovers, opened

ID = "msgbatch_1"
BLOCK = make_block(ID, make_records(ID, 6).values())


class BoomError(Exception):
    pass


class Gauge:
    """Counts how many calls are under way."""

    def __init__(self) -> None:
        self.now = self.most = self.calls = 0

    async def __call__(self, record: Record) -> None:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(3):
            await asyncio.sleep(0)
        self.now -= 1


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_no_more_calls_are_under_way_than_asked_for_over_all_batches(concurrency: int) -> None:
    gauge = Gauge()
    sink = CallbackSink(gauge, concurrency=concurrency)
    async with asyncio.TaskGroup() as group:
        for batch_id in ("b1", "b2", "b3"):
            group.create_task(deliver(sink, batch_id, make_records(batch_id, 30)))
    await sink.close()
    assert (gauge.most, gauge.calls) == (concurrency, 90)


async def test_plain_functions_run_in_so_many_threads() -> None:
    together = threading.Barrier(3)  # nobody passes until three are in it at once

    def meet(record: Record) -> None:
        together.wait(timeout=30)

    async with no_leftovers(), opened(CallbackSink(meet, concurrency=3), ID) as writer:
        await writer.write(BLOCK)


async def test_a_function_that_blocks_does_not_hold_up_the_loop() -> None:
    released = threading.Event()

    def block(record: Record) -> None:
        assert released.wait(timeout=30)

    async with opened(CallbackSink(block), ID) as writer, asyncio.TaskGroup() as group:
        group.create_task(writer.write(BLOCK))
        await asyncio.sleep(0)
        released.set()  # nobody else does, so this is only reached if the loop goes on


async def test_an_async_function_that_never_waits_lets_others_have_their_turn() -> None:
    seen = []

    async def greedy(record: Record) -> None:
        seen.append(record.custom_id)

    async def other() -> None:
        while len(seen) < 10 * YIELD_EVERY:
            turns.append(len(seen))
            await asyncio.sleep(0)

    turns: list[int] = []
    async with opened(CallbackSink(greedy), ID) as writer, asyncio.TaskGroup() as group:
        group.create_task(other())
        group.create_task(writer.write(make_block(ID, make_records(ID, 10 * YIELD_EVERY).values())))
    assert len(turns) >= 10


async def fail_later(record: Record) -> None:
    if record.custom_id == f"{ID}-3":
        raise BoomError("no more")
    await asyncio.sleep(0)


def fail_now(record: Record) -> None:
    if record.custom_id == f"{ID}-3":
        raise BoomError("no more")


@pytest.mark.parametrize("function", [fail_later, fail_now])
@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_function_that_fails_names_the_record(function: Any, concurrency: int) -> None:
    async with no_leftovers(), opened(CallbackSink(function, concurrency=concurrency), ID) as writer:
        with pytest.raises(SinkError) as raised:
            await writer.write(BLOCK)
    where = f"{function.__module__}.{function.__name__}"
    assert str(raised.value) == f"{where} failed on record {ID}-3 of {ID}: BoomError: no more"
    assert isinstance(raised.value.__cause__, BoomError)


async def test_a_function_that_fails_on_a_block_says_how_big_it_was() -> None:
    def fail(block: Block) -> None:
        raise BoomError("no more")

    async with opened(CallbackSink(fail, per="block"), ID) as writer:
        with pytest.raises(SinkError, match=f"failed on a block of 6 records of {ID}: BoomError: no more"):
            await writer.write(BLOCK)


async def test_when_one_call_fails_the_others_are_cancelled_and_waited_for() -> None:
    cancelled = []

    async def function(record: Record) -> None:
        if record.custom_id == f"{ID}-2":
            raise BoomError
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cancelled.append(record.custom_id)

    async with no_leftovers(), opened(CallbackSink(function, concurrency=3), ID) as writer:
        with pytest.raises(SinkError, match="BoomError"):
            await writer.write(BLOCK)
        assert sorted(cancelled) == [f"{ID}-0", f"{ID}-1"]


async def test_a_call_that_was_cancelled_from_within_did_not_take_the_record() -> None:
    async def function(record: Record) -> None:
        raise asyncio.CancelledError

    async with opened(CallbackSink(function), ID) as writer:
        with pytest.raises(SinkError, match="CancelledError"):
            await writer.write(BLOCK)


async def test_a_plain_function_is_stopped_after_the_record_it_is_at() -> None:
    seen: list[str] = []
    begun, may_end = threading.Event(), threading.Event()

    def function(record: Record) -> None:
        begun.set()
        may_end.wait(timeout=30)
        seen.append(record.custom_id)

    async with no_leftovers(), opened(CallbackSink(function), ID) as writer:
        task = asyncio.create_task(writer.write(BLOCK))
        while not begun.is_set():  # noqa: ASYNC110 - it is set by a thread
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(10):  # turns of the loop, until the cancellation has come down to the thread's own task
            await asyncio.sleep(0)
        may_end.set()
        await asyncio.wait([task])
        assert task.cancelled()
    assert seen == [f"{ID}-0"]


async def test_a_plain_function_that_returns_a_coroutine_is_not_taken_for_done() -> None:
    def function(record: Record) -> Coroutine[Any, Any, None]:
        return fail_later(record)

    async with opened(CallbackSink(function), ID) as writer:
        with pytest.raises(SinkError, match="not an `async def` function"):
            await writer.write(BLOCK)


async def test_partials_and_objects_are_called_as_what_they_are() -> None:
    seen: list[tuple[str, bool]] = []

    async def function(label: str, record: Record) -> None:
        seen.append((label, threading.current_thread() is threading.main_thread()))

    class Plain:
        def __call__(self, record: Record) -> None:
            seen.append(("object", threading.current_thread() is threading.main_thread()))

    for given in (partial(function, "partial"), Plain()):
        async with opened(CallbackSink(given), ID) as writer:
            await writer.write(make_block(ID, make_records(ID, 1).values()))
            assert "test_callback.test_partials" in writer.destination
    assert seen == [("partial", True), ("object", False)]


async def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="concurrency must be 1 or more, not 0"):
        CallbackSink(print, concurrency=0)
    with pytest.raises(ConfigurationError, match="'record' or 'block', not 'line'"):
        CallbackSink(print, per="line")  # type: ignore[call-overload]  # that is the mistake


def test_a_target_names_a_function() -> None:
    sink = callback_target("tests.sinks.test_callback:Gauge.__call__")
    assert repr(sink) == "CallbackSink(tests.sinks.test_callback.Gauge.__call__, per='record', concurrency=1)"


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("print", "write callback:module:function"),
        ("builtins:", "write callback:module:function"),
        ("no_such_module:f", "No module named 'no_such_module'"),
        ("builtins:no_such_function", "has no attribute 'no_such_function'"),
        ("builtins:__name__", "is not a function but str"),
    ],
)
def test_a_target_that_names_no_function(rest: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        callback_target(rest)
    assert message in str(refusal.value)
    assert str(refusal.value).startswith(f"callback:{rest}")
