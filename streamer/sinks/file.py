"""Records into files: one file for each batch, each record's own bytes untouched, one record to a line."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from operator import methodcaller

from aiofiles.threadpool import wrap
from aiofiles.threadpool.binary import AsyncFileIO

from streamer.api.errors import SinkError
from streamer.api.types import Batch
from streamer.disk.failures import cannot_write
from streamer.results.block import Block
from streamer.sinks.base import PartWriter, Sink
from streamer.sinks.partfile import PartFile
from streamer.sinks.template import Template
from streamer.threads import Lane, Threads

BUFFER = 1024 * 1024  # bytes gathered before a thread is asked to write: a hop costs 0.1 ms, whatever it carries
TOGETHER = 8 * BUFFER  # bytes gathered by all writers of a sink: with a hundred of them, each gathers less
KEPT = "what is already written is kept"
THREADS = 4  # at once for all files of a sink: more would not make a disk faster


class FileSink(Sink):
    """One file for each batch.

    While it grows, a file is called `NAME.part`; it is renamed when the batch has been proved complete, so a file
    under its final name is always a whole batch. Exactly once: a `.part` that an earlier run left is read, cut to its
    last whole record, and only the records it lacks are added. A final file that exists is read and never written.

    Args:
        template: where, with `{batch_id}` once or more often; missing directories are made.

    Raises:
        ConfigurationError: the template does not name one file for each batch.

    Example:
        >>> sink = FileSink("results/{batch_id}.jsonl")
    """

    durable = True

    def __init__(self, template: str | os.PathLike[str] = "results/{batch_id}.jsonl") -> None:
        self._template = Template(os.fspath(template))
        self._threads = Threads("streamer-file", THREADS)
        self._writers: set[FileWriter] = set()

    def __repr__(self) -> str:
        return f"FileSink({str(self._template)!r})"

    async def open(self, batch: Batch) -> FileWriter:
        """Open the file of `batch` and read what it holds.

        Raises:
            SinkError: the file cannot be used, is being written by another process, or holds what is not records.
        """
        part = PartFile(self._template.path(batch.id))
        lane = Lane(self._threads)
        try:
            await lane.run(part.open, stop=part.stop)
        except BaseException:
            part.close()
            raise
        writer = FileWriter(part, lane, self._writers)
        self._writers.add(writer)
        return writer

    async def close(self) -> None:
        """End the sink's threads."""
        self._threads.close()


class FileWriter(PartWriter):
    """The file of one batch, being written; `writers` are those of the sink that are open."""

    def __init__(self, part: PartFile, lane: Lane, writers: set[FileWriter]) -> None:
        super().__init__(part.tally)
        self.destination = str(part.path)
        self.committed = part.committed
        self._part = part
        self._lane = lane
        self._writers = writers
        self._file = None if part.file is None else wrap(part.file, executor=lane)
        self._waiting: list[bytes] = []  # taken, but not yet given to the file
        self._waiting_bytes = 0
        self._size = part.size  # bytes in the file; with those waiting, always whole records
        self._whole = part.size  # bytes of whole records: held, and taken since; what the file must have in the end
        self._long_bytes = 0  # of the long record under way
        self._long_from: int | None = None  # where in the file the long record under way begins
        self._intact = True  # False once a write failed or was cancelled: then only the file knows what it holds

    def __repr__(self) -> str:
        return f"<FileWriter {self.destination}, {self._state}, {self._size:,} bytes>"

    @property
    def _state(self) -> str:
        return "committed" if self.committed else "growing" if self._intact else "closed or broken off"

    async def write(self, block: Block) -> None:
        """Take the records of `block`; they reach the file when enough has gathered, at the latest on commit."""
        await self._take(block.data)
        self._whole += len(block.data)

    async def write_part(self, part: bytes) -> None:
        """Take the next bytes of a long record."""
        if self._long_from is None:
            await self._flush()
            self._long_from = self._size
        await self._take(part)
        self._long_bytes += len(part)

    async def end_parts(self, *, keep: bool) -> None:
        """End the long record; when it is not kept the file is as it was before it."""
        start, self._long_from = self._long_from, None
        length, self._long_bytes = self._long_bytes, 0
        if start is None:
            return  # no part of it came, and what is waiting are records before it
        if keep:
            await self._take(b"\n")
            self._whole += length + 1
            return
        self._forget_waiting()
        if start < self._size:
            await self._do(methodcaller("truncate", start))
            self._size = start

    async def commit(self) -> None:
        """Make the file durable and give it its final name; nothing to do when an earlier run did.

        Raises:
            SinkError: the disk did not take it all. After a failed fsync the file is removed, as nobody can know
                what of it was lost; otherwise it keeps what it holds.
        """
        if self.committed:
            return
        await self._flush()
        if not self._intact or self._long_from is not None:
            raise SinkError(f"{self.destination} cannot be made final: its last record is not whole")
        self._intact = False  # nothing more is to be written, whatever comes now
        await self._lane.run(partial(self._part.publish, self._whole))
        self.committed = True

    async def close(self) -> None:
        """Write what is waiting and close the file; a long record under way is cut off when it is next opened.

        Raises:
            SinkError: the disk did not take it.
        """
        self._writers.discard(self)
        try:
            if self._intact:
                await self._flush()
        finally:
            self._intact = False
            try:
                await self._lane.run(self._part.close)
            except OSError as error:
                raise cannot_write(self._part.part, error, KEPT) from error
            finally:
                self._part.close()  # no thread got to it if this was cancelled before its turn

    async def _take(self, data: bytes) -> None:
        if len(data) >= BUFFER:
            await self._flush()  # what is waiting goes alone, or joining it would copy a long record
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= min(BUFFER, TOGETHER // max(1, len(self._writers))):
            await self._flush()

    async def _flush(self) -> None:
        """Give the file what is waiting."""
        rest = memoryview(b"".join(self._waiting))
        self._forget_waiting()
        while rest:  # the system may take less than it is given, e.g. when the disk fills up
            written = await self._do(methodcaller("write", rest))
            self._size += written
            rest = rest[written:]

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    async def _do(self, call: Callable[[AsyncFileIO], Awaitable[int]]) -> int:
        """Have the file do something; once that has failed or was cancelled, nothing more."""
        if self._file is None or not self._intact:
            raise SinkError(f"{self.destination} takes nothing more: it is {self._state}")
        self._intact = False
        try:
            done = await self._lane.finish(call(self._file))
        except OSError as error:
            raise cannot_write(self._part.part, error, KEPT) from error
        self._intact = True
        return done
