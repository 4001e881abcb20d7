"""The decoded bytes of a body: compressed ones are decoded in a thread that runs ahead of the event loop.

Decoding is C that runs without the interpreter's lock, so a second core can do it while the loop frames what came
before. What prevents that is getting the lock back: a busy loop lets go of it for moments only, shorter than a thread
takes to wake up, and has it again before the thread does. Hence three rules. The thread needs the lock once for each
piece, and pieces are large. It goes from one piece to the next without being told. And it may be some pieces ahead:
when it waits for the lock, the loop soon runs out of pieces and sleeps, and the thread is on the next one again before
the loop has woken up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from streamer.sources.encoding import Decoder
from streamer.tasks import wait_out
from streamer.threads import Threads

_AHEAD = 3  # pieces that may wait for the loop before the thread rests
_PACKED = 128 * 1024  # bytes of the body that may wait for the thread before reading rests


@asynccontextmanager
async def unpacked(body: AsyncIterator[bytes], decoder: Decoder | None) -> AsyncGenerator[AsyncIterator[bytes], None]:
    """The bytes of `body`, decoded by `decoder` a little ahead of whoever iterates; without a decoder `body` itself.

    A body that is decoded is read by a task of its own, which ends with the block.

    The iterator raises, each time after all that came whole before:
        TransportError: the compressed data is damaged or was cut.
        ResultsError: it grows out of all proportion.
        OSError: no thread can be started.
        Exception: what `body` raised.

    Example:
        ```python
        async with unpacked(body, decoder("gzip")) as pieces:
            async for piece in pieces:
                ...
        ```
    """
    if decoder is None:
        yield body
        return
    threads = Threads("streamer-unpack", 1)
    ahead = _Ahead(body, decoder, threads)
    try:
        yield ahead
    finally:
        try:
            await ahead.close()
        finally:
            threads.close()


class _Ahead(AsyncIterator[bytes]):
    """What lies between a body and its reader: bytes that wait for the thread, and pieces that wait for the reader.

    The thread takes from `_packed` and adds to `_ready`, and the loop does the opposite, which deques bear.
    """

    def __init__(self, body: AsyncIterator[bytes], decoder: Decoder, threads: Threads) -> None:
        self._decoder = decoder
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._packed: deque[bytes] = deque()
        self._ready: deque[bytes] = deque()
        self._given = 0  # bytes of the body that were put into `_packed`; the loop's to change
        self._taken = 0  # and taken from it; the thread's to change, like the next one
        self._pieces: Iterator[bytes] = iter(())  # of what was taken
        self._more = False  # the thread rests before the end of these
        self._decoding: asyncio.Future[bool] | None = None  # the thread does not rest
        self._failure: BaseException | None = None  # of decoding, or to begin it
        self._room, self._news = asyncio.Event(), asyncio.Event()
        self._closed = False
        self._reading = asyncio.create_task(self._read(body), name="streamer unpack")
        self._reading.add_done_callback(self._read_out)

    async def __anext__(self) -> bytes:
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if self._reading.done() and not (self._decoding or self._packed or self._more):
                self._reading.result()  # raises what the body did
                self._decoder.finish()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        piece = self._ready.popleft()
        self._go_on()
        return piece

    async def close(self) -> None:
        """Stop reading and decoding; neither goes on after this, however often the waiting is cancelled."""
        self._closed = True
        self._reading.cancel()
        working: list[asyncio.Future[Any]] = [self._reading, *([self._decoding] if self._decoding else [])]
        await wait_out(lambda: [work for work in working if not work.done()])

    async def _read(self, body: AsyncIterator[bytes]) -> None:
        async for data in body:
            self._packed.append(data)
            self._given += len(data)
            self._go_on()
            while self._given - self._taken >= _PACKED:
                self._room.clear()
                await self._room.wait()

    def _read_out(self, reading: asyncio.Task[None]) -> None:
        if not reading.cancelled():
            reading.exception()  # raised to the reader when its turn has come; whoever leaves early does not ask
        self._news.set()

    def _go_on(self) -> None:
        """Have the thread decode, if it rests, and there is something, and room for what comes out."""
        if self._decoding or self._closed or self._failure or len(self._ready) >= _AHEAD:
            return
        if self._packed or self._more:
            try:
                self._decoding = asyncio.wrap_future(self._threads.submit(self._decode))
            except OSError as error:
                self._failure = error
                self._news.set()
            else:
                self._decoding.add_done_callback(self._rests)

    def _rests(self, decoding: asyncio.Future[bool]) -> None:
        self._decoding = None
        self._failure = decoding.exception()
        self._more = self._failure is None and decoding.result()
        self._notice()

    def _notice(self) -> None:
        self._news.set()
        self._room.set()
        self._go_on()

    def _decode(self) -> bool:
        """In the thread: decode until there is nothing left or no room; returns whether something is left."""
        while len(self._ready) < _AHEAD and not self._closed:
            piece = next(self._pieces, None)
            if piece is not None:
                self._ready.append(piece)
                self._loop.call_soon_threadsafe(self._notice)
            elif self._packed:
                self._pieces = self._decoder.feed(self._take())
            else:
                return False
        return True

    def _take(self) -> bytes:
        data = b"".join([self._packed.popleft() for _ in range(len(self._packed))])
        self._taken += len(data)
        return data
