"""Requests that the program itself has, one by one, as a request file: lines of JSON, none of which is kept.

They are taken from their iterable on the event loop, where it belongs, and read in the thread that checks request
files. A few pieces wait in between, so memory does not grow with how many there are.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO, TypeAlias, TypeGuard

from streamer.api.jsonencoding import Dumpable, Request, encode
from streamer.arguments import described
from streamer.errors import ConfigurationError, StreamerError
from streamer.requests.reading import RequestFile
from streamer.tasks import asked_to_end, wait_out

PIECE = 256 * 1024  # bytes that are handed over at once
AHEAD = 4  # pieces that may wait for the thread
TURN = 64  # requests taken in a row before the event loop serves others
LOOK = 0.1  # seconds after which a thread that waits for a slow iterable looks whether it should end

NAME = "the requests given"  # in messages, where a file has its name

GivenFiles: TypeAlias = Iterable[RequestFile] | Iterable[Request] | AsyncIterable[Request]


class GivenRequests:
    """Requests of an iterable, not begun yet.

    Args:
        source: gives them, once.
    """

    def __init__(self, source: Iterable[Request] | AsyncIterable[Request]) -> None:
        self.source = source

    def __repr__(self) -> str:
        return f"<{NAME} by {described(self.source)}>"


def request_files(given: GivenFiles) -> list[RequestFile | GivenRequests]:
    """Files of requests as they are, or all requests of an iterable as one file.

    Args:
        given: paths and open files; or requests.

    Raises:
        ConfigurationError: it is neither, or a mixture.

    >>> request_files(["requests.jsonl"])
    ['requests.jsonl']
    >>> request_files([{"custom_id": "a", "params": {}}])
    [<the requests given by a list>]
    """
    if isinstance(given, str | Path):
        raise ConfigurationError(f"files is a list of request files, not one; write [{str(given)!r}]")
    if isinstance(given, Mapping | Dumpable | bytes) or _is_file(given):
        raise ConfigurationError(f"files is {described(given)}; put it into a list: [...]")
    if isinstance(given, AsyncIterable):
        return [GivenRequests(given)]
    if not isinstance(given, Iterable) or isinstance(given, type):
        if inspect.iscoroutine(given):
            given.close()
        raise ConfigurationError(
            f"files is {described(given)}; give a list of request files, or an iterable of requests, also an "
            "asynchronous one"
        )
    if not isinstance(given, Sequence):
        iterator: Iterator[Any] = iter(given)
        for first in iterator:
            given = chain([first], iterator)
            if not _is_file(first):
                return [GivenRequests(given)]
            break
    items = list(given)
    if not items:
        raise ConfigurationError("files is empty, so there is no request to send")
    files = [item for item in items if _is_file(item)]
    if len(files) == len(items):
        return [str(file) if isinstance(file, os.PathLike) and not isinstance(file, Path) else file for file in files]
    if files:
        raise ConfigurationError(f"files holds both files, e.g. {files[0]!r:.60}, and requests; give one kind")
    return [GivenRequests(items)]


@asynccontextmanager
async def reading(files: Sequence[RequestFile | GivenRequests]) -> AsyncIterator[list[RequestFile]]:
    """The same as files that can be read in a thread, as long as the block lasts."""
    feeds = [_Feed(file.source) for file in files if isinstance(file, GivenRequests)]
    ready = iter(feeds)
    pumps = [asyncio.create_task(feed.pump(), name="streamer requests") for feed in feeds]
    try:
        yield [next(ready).file if isinstance(file, GivenRequests) else file for file in files]
    finally:
        for pump in pumps:
            pump.cancel()
        await wait_out(lambda: [pump for pump in pumps if not pump.done()], cancel=True)


def _is_file(item: object) -> TypeGuard[RequestFile]:
    return isinstance(item, str | os.PathLike) or callable(getattr(item, "read", None))


class _Feed(io.RawIOBase):
    """What lies between an iterable on the event loop and the thread that reads it as a file."""

    name = NAME

    def __init__(self, source: Iterable[Request] | AsyncIterable[Request]) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._owner = asyncio.current_task()
        self._cancelled_before = self._owner.cancelling() if self._owner is not None else 0
        self._room = asyncio.Semaphore(AHEAD)
        self._pieces: SimpleQueue[bytes | None] = SimpleQueue()  # None behind the last one, however it ended
        self._rest = b""
        self._failure: BaseException | None = None
        self._over = False
        self.file: BinaryIO = io.BufferedReader(self, PIECE)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """In the thread: the next bytes."""
        if not self._rest and not self._over:
            piece = self._wait()
            if piece is None:
                self._over = True
                if self._failure is not None:
                    raise self._failure
            else:
                self._rest = piece
                self._loop.call_soon_threadsafe(self._room.release)
        part = self._rest[: len(buffer)]
        self._rest = self._rest[len(part) :]
        buffer[: len(part)] = part
        return len(part)

    def _wait(self) -> bytes | None:
        while True:
            try:
                return self._pieces.get(timeout=LOOK)
            except Empty:
                if self._owner is not None and self._owner.cancelling() > self._cancelled_before:
                    raise StreamerError("the requests were not read to their end, as this was stopped") from None

    async def pump(self) -> None:
        """On the event loop: take the requests and hand their lines over."""
        piece = bytearray()
        try:
            async for line in self._lines():
                piece += line
                if len(piece) >= PIECE:
                    await self._room.acquire()
                    self._pieces.put(bytes(piece))
                    piece.clear()
            self._pieces.put(bytes(piece))
        except asyncio.CancelledError:
            self._failure = ConfigurationError(
                "the requests broke off: something that their iterable waited for was cancelled, so nothing was sent; "
                "run the same again"
            )
            if asked_to_end():
                raise
        except BaseException as error:  # raised to whoever reads
            self._failure = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._pieces.put(None)

    async def _lines(self) -> AsyncIterator[bytes]:
        source = self._source
        number = 0
        try:
            if isinstance(source, AsyncIterable):
                async for request in source:
                    yield _line(request, number)
                    number += 1
            else:
                for request in source:
                    yield _line(request, number)
                    number += 1
                    if number % TURN == 0:
                        await asyncio.sleep(0)
        finally:
            if (close := getattr(source, "aclose", None)) is not None:
                await close()


def _line(request: Request, number: int) -> bytes:
    if not isinstance(request, Mapping | Dumpable | bytes) or isinstance(request, type):
        raise ConfigurationError(
            f"files[{number}] is {described(request)}; a request is a mapping or a pydantic model with custom_id and "
            "params, or its JSON as bytes"
        )
    return encode(request, f"files[{number}]") + b"\n"
