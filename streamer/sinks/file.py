"""Records into files: one file for each batch, each record's own bytes untouched, one record to a line."""

from __future__ import annotations

import os
from functools import partial

from streamer.api.types import Batch
from streamer.disk.failures import cannot_write
from streamer.errors import StorageError
from streamer.results.block import Block
from streamer.sinks.base import PartWriter, Sink
from streamer.sinks.partfile import PartFile
from streamer.sinks.template import PathTemplate
from streamer.sinks.writeback import TOGETHER, WriteBack
from streamer.threads import Threads

KEPT = "what is already written is kept"
LONG = 4 * TOGETHER  # bytes of one record that are written before more is taken
THREADS = 4  # that open files and make them durable, at once for all of a sink: more would not make a disk faster


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
    open_files = 2  # the file and its directory

    def __init__(self, template: str | os.PathLike[str] = "results/{batch_id}.jsonl") -> None:
        self._template = PathTemplate(os.fspath(template))
        self._threads = Threads("streamer-file", THREADS)
        self._write_back = WriteBack()

    def __repr__(self) -> str:
        return f"FileSink({str(self._template)!r})"

    async def open(self, batch: Batch) -> FileWriter:
        """Open the file of `batch` and read what it holds.

        Raises:
            StorageError: the file cannot be used, is being written by another process, or holds what is not records.
        """
        part = PartFile(self._template.path(batch.id))
        try:
            await self._threads.run(part.open, stop=part.stop)
        except BaseException:
            part.close()
            raise
        return FileWriter(part, self._threads, self._write_back)

    async def close(self) -> None:
        """End the sink's threads."""
        self._threads.close()
        self._write_back.close()
        self._write_back = WriteBack()  # for whoever opens it again: with nothing of the files that were


class FileWriter(PartWriter):
    """The file of one batch, being written: by `write_back`, and made durable in `threads`."""

    def __init__(self, part: PartFile, threads: Threads, write_back: WriteBack) -> None:
        super().__init__(part.tally)
        self.destination = str(part.path)
        self.committed = part.committed
        self._part = part
        self._threads = threads
        self._write_back = write_back
        self._whole = part.size  # bytes of whole records: held, and taken since; what the file must have in the end
        self._long = 0  # bytes of the long record under way
        self._over = part.committed  # it takes nothing more, whatever comes
        self._told = False  # what went wrong with the file

    def __repr__(self) -> str:
        return f"<FileWriter {self.destination}, {self._state}, {self._whole:,} bytes>"

    @property
    def _intact(self) -> bool:
        return not self._over and self._part.failure is None

    @property
    def _state(self) -> str:
        return "committed" if self.committed else "growing" if self._intact else "closed or broken off"

    async def write(self, block: Block) -> None:
        """Take the records of `block`; they reach the file when enough has gathered, at the latest on commit."""
        self._whole += len(block.data)
        await self._take(block.data)

    async def write_part(self, part: bytes) -> None:
        """Take the next bytes of a long record."""
        self._long += len(part)
        await self._take(part)

    async def end_parts(self, *, keep: bool) -> None:
        """End the long record; when it is not kept the file is as it was before it."""
        length, self._long = self._long, 0
        if not length:
            return  # no part of it came
        if keep:
            self._whole += length + 1
            await self._take(b"\n")
        else:
            await self._write_back.flush(self._part)
            await self._threads.complete(partial(self._part.truncate, self._whole))
            self._tell_failure()

    async def commit(self) -> None:
        """Make the file durable and give it its final name; nothing to do when an earlier run did.

        Raises:
            StorageError: the disk did not take it all. After a failed fsync the file is removed, as nobody can know
                what of it was lost; otherwise it keeps what it holds.
        """
        if self.committed:
            return
        self._tell_failure()
        if not self._intact or self._long:
            raise StorageError(f"{self.destination} cannot be made final: its last record is not whole")
        self._over = True
        await self._write_back.flush(self._part)
        self._tell_failure()
        await self._threads.run(partial(self._part.publish, self._whole))
        self.committed = True

    async def close(self) -> None:
        """Write what is waiting and close the file; a long record under way is cut off when it is next opened.

        Raises:
            StorageError: the disk did not take it.
        """
        self._over = True
        if not self._part.is_open:
            return
        try:
            await self._write_back.flush(self._part)
        finally:
            try:
                await self._threads.complete(self._part.close)
            except OSError as error:
                self._tell_failure()
                raise cannot_write(self._part.part, error, KEPT) from error
        self._tell_failure()

    async def _take(self, data: bytes) -> None:
        self._tell_failure()
        if not self._intact:
            raise StorageError(f"{self.destination} takes nothing more: it is {self._state}")
        await self._write_back.add(self._part, data)
        if len(data) >= LONG:  # it is not to wait here beside the next one
            await self._write_back.flush(self._part)
        self._tell_failure()

    def _tell_failure(self) -> None:
        """Raise what a thread met when it wrote, once.

        Raises:
            StorageError: the disk did not take it.
        """
        failure = self._part.failure
        if failure is not None and not self._told:
            self._told = True
            raise cannot_write(self._part.part, failure, KEPT) from failure
