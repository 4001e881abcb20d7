"""What the writers of a sink have taken and not yet written: gathered by all of them, written together.

Having a thread do something costs 0.1 ms, whatever it is, and of the memory for what waits there is little for each of
a hundred writers. So they do not each ask for themselves: when enough waits in all, a thread writes what all of them
have waiting.
"""

from __future__ import annotations

import asyncio
from functools import partial

from streamer.sinks.partfile import PartFile
from streamer.tasks import wait_out
from streamer.threads import Threads

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

    def __contains__(self, part: PartFile) -> bool:
        """Whether anything waits for a file."""
        return part in self._pieces

    def take_all(self) -> dict[PartFile, list[bytes]]:
        """What waited, in order for each file."""
        pieces, self._pieces, self.size = self._pieces, {}, 0
        return pieces


class WriteBack:
    """Takes the bytes of all files of a sink and has them written, by one thread, in the order they came for each file.

    What a file did not take is for its own writer to tell (`PartFile.failure`); the others are not concerned. One
    thread, so a file system that hangs under one file holds up all that are written, though not those being opened or
    made durable, which have other threads. At most twice `TOGETHER` is held, and the last two blocks of each
    writer: one that is being written and one behind it.
    """

    def __init__(self) -> None:
        self._threads = Threads("streamer-write", 1)
        self._waiting = Waiting()
        self._written: frozenset[PartFile] = frozenset()  # the files of the last write
        self._write: asyncio.Future[None] | None = None  # and that write, when there was one

    async def add(self, part: PartFile, data: bytes) -> None:
        """Take `data`; wait only while too much waits behind a write that is under way.

        To cancel this loses nothing: what is being written is written to its end, and the rest goes on waiting.
        """
        self._waiting.add(part, data)
        under_way = self._under_way()
        if self._waiting.size >= TOGETHER and under_way is not None:
            await asyncio.wait([under_way])
        # Whoever is the first to go on takes along what all have waiting.
        if self._waiting.size >= TOGETHER and self._under_way() is None:
            self._begin()

    async def flush(self, part: PartFile) -> None:
        """Have what was taken for one file written, with all else that waits; to the end even when this is cancelled.

        Afterwards, and until more is added, no thread has to do with the file.
        """

        def pending() -> list[asyncio.Future[None]]:
            if part in self._waiting and self._under_way() is None:
                self._begin()
            under_way = self._under_way()
            ours = part in self._written or part in self._waiting
            return [under_way] if under_way is not None and ours else []

        await wait_out(pending)
        if part in self._written and self._write is not None:
            self._write.result()  # raises what is no failure of a file, e.g. that memory ran out

    def close(self) -> None:
        """End the thread."""
        self._threads.close()

    def _under_way(self) -> asyncio.Future[None] | None:
        return None if self._write is None or self._write.done() else self._write

    def _begin(self) -> None:
        """Begin to write what all have waiting."""
        if self._write is not None:
            self._write.result()  # after what is no failure of a file nobody knows what is written
        waiting = self._waiting.take_all()
        self._written = frozenset(waiting)
        try:
            self._write = asyncio.wrap_future(self._threads.submit(partial(_write, waiting)))
        except OSError as error:  # no thread can be started
            for part in waiting:
                part.failure = part.failure or error


def _write(waiting: dict[PartFile, list[bytes]]) -> None:
    while waiting:  # emptied on the way, so that others can use the memory
        part, pieces = waiting.popitem()
        part.write(pieces)
