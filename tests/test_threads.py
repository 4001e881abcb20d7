from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from streamer.threads import Threads


@pytest.fixture
def threads() -> Iterator[Threads]:
    pool = Threads("test", 1)
    yield pool
    pool.close()


async def until(event: threading.Event) -> None:
    while not event.is_set():  # noqa: ASYNC110 - it is set by a thread
        await asyncio.sleep(0.001)


async def occupy(threads: Threads) -> tuple[asyncio.Task[object], threading.Event]:
    """Have a thread work until the event is set."""
    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait()

    task = asyncio.create_task(threads.run(work))
    await until(begun)
    return task, may_end


async def test_a_cancellation_waits_for_the_thread_however_often_it_is_repeated(threads: Threads) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait()
        ended.set()

    task = asyncio.create_task(threads.run(work))
    await until(begun)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
    may_end.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ended.is_set()


async def test_a_cancellation_tells_the_thread_to_stop(threads: Threads) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        stopped.wait()

    task = asyncio.create_task(threads.run(work, stop=stopped.set))
    await until(begun)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_call_that_still_waits_for_its_turn_is_not_made_when_cancelled(threads: Threads) -> None:
    made = threading.Event()
    first, may_end = await occupy(threads)
    second = asyncio.create_task(threads.run(made.set))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    assert second.cancelled()
    may_end.set()
    await first
    await threads.run(lambda: None)  # whatever was queued before has had its turn
    assert not made.is_set()


async def test_a_call_to_be_completed_is_made_even_when_cancelled_before_its_turn(threads: Threads) -> None:
    made = threading.Event()
    first, may_end = await occupy(threads)
    second = asyncio.create_task(threads.complete(made.set))
    for _ in range(3):
        await asyncio.sleep(0.01)
        second.cancel()
    await asyncio.sleep(0.01)
    assert not second.done()
    may_end.set()
    await first
    await asyncio.wait([second])
    assert second.cancelled()
    assert made.is_set()


async def test_a_call_that_no_thread_could_be_started_for_is_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays in the pool, and must not open a file when a thread becomes free."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads, made = Threads("test", 2), threading.Event()
    first, may_end = await occupy(threads)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="no thread for test: can't start new thread"):
            threads.submit(made.set)
    may_end.set()
    await first
    await threads.run(lambda: None)
    threads.close()
    assert not made.is_set()


async def test_what_a_call_returns_and_raises_comes_back(threads: Threads) -> None:
    for way in (threads.run, threads.complete):
        assert await way(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await way(lambda: 1 // 0)


async def test_threads_end_with_close_and_begin_anew_when_needed(threads: Threads) -> None:
    before = threading.active_count()
    for _ in range(2):
        await threads.run(lambda: None)
        assert threading.active_count() == before + 1
        threads.close()
        assert threading.active_count() == before
