"""Blocking calls in threads that never outlive their caller.

Cancelling a coroutine that waits for a thread does not stop the thread: a file kept growing from 52 to 512 MiB after
its writer had been cancelled. So every blocking call goes through a `Lane`, which waits for the thread before it lets a
cancellation through.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most `limit` threads of their owner's own, started when they are first needed and ended by `close`.

    Not the loop's default threads: those also look up host names, and a slow disk would hold up the network.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have `call` run in one of the threads.

        Raises:
            OSError: the system lets no more threads be started.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._limit, thread_name_prefix=self._name)
        try:
            return self._pool.submit(call)
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, f"no thread for {self._name}: {error}") from error

    def close(self) -> None:
        """End the threads. Every lane has waited for its calls, so they are idle and this takes no time."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


class Lane(Executor):
    """One caller's way into the threads, one call at a time.

    It is an executor, so that `run_in_executor` can be told to use it.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._last: Future[object] | None = None

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have `call` run in a thread; asyncio calls this, too."""
        future = self._threads.submit(partial(call, *args, **kwargs))
        self._last = future  # type: ignore[assignment]  # only waited for, whatever it returns
        return future

    async def run(self, call: Callable[[], T], *, stop: Callable[[], None] | None = None) -> T:
        """Run `call` in a thread and wait for it, to its end even when cancelled; `stop` then tells it to hurry."""
        return await self.finish(asyncio.get_running_loop().run_in_executor(self, call), stop=stop)

    async def finish(self, work: Awaitable[T], *, stop: Callable[[], None] | None = None) -> T:
        """Wait for `work`, a call through this lane, to the end of its thread even when cancelled."""
        try:
            return await work
        except asyncio.CancelledError:
            if stop is not None:
                stop()
            await self._settle()
            raise

    async def complete(self, call: Callable[[], T]) -> T:
        """Run `call` as `run` does; it is made even when this is cancelled before its turn has come."""
        future = self.submit(call)
        done = _done(future)
        try:
            await done.wait()
        except asyncio.CancelledError:
            await self._settle()
            raise
        return future.result()

    async def _settle(self) -> None:
        """Wait until no thread works for this lane, however often the waiting is cancelled."""
        future = self._last
        if future is None:
            return
        done = _done(future)
        while not done.is_set():
            with suppress(asyncio.CancelledError):  # the caller raises the first one when the thread is done
                await done.wait()


def _done(future: Future[T]) -> asyncio.Event:
    """Is set, in the running loop, when `future` is done."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    future.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
    return done
