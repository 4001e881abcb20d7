"""Blocking calls in threads that never outlive their caller.

Cancelling a coroutine that waits for a thread does not stop the thread: a file kept growing from 52 to 512 MiB after
its writer had been cancelled. So whoever has a thread do something waits for it before letting a cancellation through.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from streamer.tasks import wait_out

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
        refused = False

        def in_turn() -> T:
            if refused:
                raise asyncio.CancelledError
            try:
                return call()
            except StopIteration as error:  # no asyncio future takes one, so whoever waits for it would do so for ever
                raise RuntimeError("a call in a thread raised StopIteration") from error

        try:
            return self._pool.submit(in_turn)
        except RuntimeError as error:
            refused = True  # the pool keeps it all the same, for a thread that becomes free
            raise OSError(errno.EAGAIN, f"no thread for {self._name}: {error}") from error

    async def run(self, call: Callable[[], T], *, stop: Callable[[], None] | None = None) -> T:
        """Run `call` in a thread and wait for it, to its end even when cancelled; `stop` then tells it to hurry.

        It is not made when this is cancelled before its turn has come.
        """
        future = self.submit(call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if stop is not None:
                stop()
            await _end(future)
            raise

    async def complete(self, call: Callable[[], T]) -> T:
        """Run `call` as `run` does; it is made even when this is cancelled before its turn has come."""
        future = self.submit(call)
        await _end(future)
        return future.result()

    def close(self) -> None:
        """End the threads. Everybody has waited for his calls, so they are idle and this takes no time."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


async def _end(future: Future[T]) -> None:
    """Wait until no thread works for `future`, however often the waiting is cancelled, and let that through then."""
    shadow = asyncio.wrap_future(future)
    shadow.add_done_callback(lambda done: done.cancelled() or done.exception())  # it is read from `future`
    await wait_out(lambda: [] if shadow.done() else [shadow])
