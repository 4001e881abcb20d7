"""A local file as a stream: read by aiofiles a MiB at a time, beside the event loop.

Pieces are large because each is a hop to a thread. aiofiles leaves a read running when whoever waits for it is
cancelled, and another file may have the descriptor by the time it ends; so each of its calls is waited for to its end,
and the file is closed after that.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import aiofiles

from streamer.tasks import wait_out

if TYPE_CHECKING:
    from aiofiles.threadpool.binary import AsyncFileIO

PIECE = 1 << 20  # bytes read at once

T = TypeVar("T")


async def stream_file(file: Path | int, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
    r"""The bytes of a file, in pieces of a MiB, the last one shorter; fewer of them when the file ends before `end`.

    No thread and no descriptor is left when this is closed, which `contextlib.aclosing` sees to.

    Args:
        file: its path, or a descriptor, which stays open.
        start: where to begin, in bytes.
        end: where to stop; None for the end of the file.

    Raises:
        OSError: it cannot be opened or read, or there is no thread to do so.

    Example:
        >>> async def lines(path: Path) -> int:
        ...     async with aclosing(stream_file(path)) as pieces:
        ...         return sum([piece.count(b"\n") async for piece in pieces])
    """
    async with _opened(file) as opened:
        at = start
        if start or isinstance(file, int):  # a pipe, which is read from its beginning, has none to seek
            await _ended(opened.seek(start))
        while end is None or at < end:
            piece = await _ended(opened.read(PIECE if end is None else min(PIECE, end - at)))
            if not piece:
                return
            at += len(piece)
            yield piece


@asynccontextmanager
async def _opened(file: Path | int) -> AsyncIterator[AsyncFileIO]:
    with ThreadPoolExecutor(1, "streamer-read") as thread:  # its own: the loop's look up host names, too
        closes = isinstance(file, Path)
        opening = asyncio.ensure_future(aiofiles.open(file, "rb", buffering=0, closefd=closes, executor=thread))
        try:
            yield await _ended(opening)
        finally:
            if not opening.cancelled() and opening.exception() is None:
                await _ended(opening.result().close())


async def _ended(call: Awaitable[T]) -> T:
    """Wait for a call to its end, however often the waiting is cancelled, and let that through then.

    Raises:
        OSError: it failed; or it was cancelled, and not by whoever waits for it; or there is no thread for it.
    """
    task = asyncio.ensure_future(call)
    await wait_out(lambda: [] if task.done() else [task])
    if task.cancelled():
        raise OSError(errno.ECANCELED, "the task that read it was cancelled")
    try:
        return task.result()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, f"no thread to read it: {error}") from error
