"""The ids of the batches to watch: all there at once, or coming while others are watched already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from streamer.clock import Clock
from streamer.errors import ConfigurationError, StreamerError
from streamer.tasks import asked_to_end, wait_out


class Feed:
    """A source of ids that is read in a task of its own, so that a slow one delays nobody."""

    def __init__(self, task: asyncio.Task[None] | None, news: asyncio.Event) -> None:
        self._task = task
        self._news = news  # an id has come, or the end of the source

    def __repr__(self) -> str:
        return f"<Feed, {'open' if self.open else 'at its end'}>"

    @property
    def open(self) -> bool:
        """Whether more ids may come."""
        return self._task is not None and not self._task.done()

    def check(self) -> None:
        """Raise what the source has raised."""
        if self._task is None or not self._task.done():
            return
        if self._task.cancelled():
            raise StreamerError(
                f"the task {self._task.get_name()!r} was cancelled, though nobody has cancelled the run"
            )
        self._task.result()

    async def wait(self, clock: Clock, seconds: float | None) -> None:
        """Wait for so many seconds, or, while the source is open, until there is news; None is no limit but that."""
        if not self.open:
            self.check()
            await clock.sleep(seconds or 0.0)
            return
        waiting: list[asyncio.Future[object]] = [asyncio.ensure_future(self._news.wait())]
        if seconds is not None:
            waiting.append(asyncio.ensure_future(clock.sleep(seconds)))
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in waiting:
                one.cancel()
            await wait_out(lambda: [one for one in waiting if not one.done()])
        self._news.clear()
        self.check()


@asynccontextmanager
async def feeding(ids: Iterable[str] | AsyncIterable[str], add: Callable[[str], None]) -> AsyncIterator[Feed]:
    """Give each id to `add`: all at once, or those of an asynchronous iterable as they come until the block is left."""
    news = asyncio.Event()
    if not isinstance(ids, AsyncIterable):
        for batch_id in ids:
            add(batch_id)
        yield Feed(None, news)
        return

    async def take() -> None:
        try:
            async for batch_id in ids:
                add(batch_id)
                news.set()
        except asyncio.CancelledError as error:
            if asked_to_end():
                raise
            raise ConfigurationError(
                "the batch ids broke off: something that their iterable waited for was cancelled; more may have come, "
                "so run the same again"
            ) from error
        finally:
            news.set()

    task = asyncio.create_task(take(), name="streamer batch ids")
    try:
        yield Feed(task, news)
    finally:
        task.cancel()
        await wait_out(lambda: [] if task.done() else [task], cancel=True)
