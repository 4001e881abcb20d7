"""What the writers of a sink have taken and not yet written: gathered by all of them, written together.

Having a thread do something costs 0.1 ms, whatever it is, and of the memory for what waits there is little for each of
a hundred writers. So they do not each ask for themselves: when enough waits in all, a thread writes what all of them
have waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from streamer.sinks.partfile import PartFile
from streamer.threads import Lane, Threads

TOGETHER = 2 * 1024 * 1024  # bytes that wait, for all files of a sink, before they are written


class Waiting:
    """The bytes that wait, by file: plain data.

    Attributes:
        size: how many they are.
    """

    def __init__(self) -> None:
        self.size = 0
        self._pieces: dict[PartFile, list[bytes]] = {}

    def add(self, part: PartFile, data: bytes) -> None:
        """Have `data` wait, behind all that waits for the same file."""
        self._pieces.setdefault(part, []).append(data)
        self.size += len(data)

    def take(self, part: PartFile) -> list[bytes]:
        """What waited for one file, in order."""
        pieces = self._pieces.pop(part, [])
        self.size -= sum(map(len, pieces))
        return pieces

    def take_all(self) -> dict[PartFile, list[bytes]]:
        """What waited, in order for each file."""
        pieces, self._pieces, self.size = self._pieces, {}, 0
        return pieces


class Gathering:
    """Takes the bytes of all files of a sink and has them written, by one thread, in the order they came for each file.

    What a file did not take is for its own writer to tell (`PartFile.failure`); the others are not concerned. One
    thread, so a file system that hangs under one file holds up all that are written, though not those being opened or
    made durable, which have other threads. At most twice `TOGETHER` is held, and what each writer came with last.
    """

    def __init__(self) -> None:
        self._threads = Threads("streamer-write", 1)
        self._waiting = Waiting()
        self._under_way: asyncio.Future[None] | None = None  # the last write of what all had waiting

    async def add(self, part: PartFile, data: bytes) -> None:
        """Take `data`; wait only while too much waits behind a write that is under way.

        To cancel this loses nothing: what is being written is written to its end, and the rest goes on waiting.
        """
        self._waiting.add(part, data)
        while self._waiting.size >= TOGETHER:
            if self._under_way is None or self._under_way.done():
                self._write_all()
            else:
                await asyncio.wait([self._under_way])

    async def finish(self, part: PartFile, call: Callable[[], None]) -> None:
        """Write what waits for one file and then do `call`, in the thread, and so after all that was given to it."""
        await self._do(partial(_write_and, part, self._waiting.take(part), call))

    def close(self) -> None:
        """End the thread."""
        self._threads.close()

    def _write_all(self) -> None:
        """Begin to write what all have waiting, while whoever comes next goes on; `finish` comes after it."""
        if self._under_way is not None:
            self._under_way.result()  # a file's failure is no exception, so there is none but by a mistake of ours
        future = self._threads.submit(partial(_write, self._waiting.take_all()))
        self._under_way = asyncio.wrap_future(future)

    async def _do(self, call: Callable[[], None]) -> None:
        await Lane(self._threads).complete(call)


def _write(waiting: dict[PartFile, list[bytes]]) -> None:
    while waiting:  # emptied on the way, so that others can use the memory
        part, pieces = waiting.popitem()
        part.write(pieces)


def _write_and(part: PartFile, pieces: Sequence[bytes], call: Callable[[], None]) -> None:
    part.write(pieces)
    call()
