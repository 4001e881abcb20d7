"""Records onto standard output: `streamer run ... --to - | jq ...`."""

from __future__ import annotations

import os
import select
import stat
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from typing import IO

from streamer.api.types import Batch
from streamer.errors import SinkError
from streamer.results.accounting import Tally
from streamer.results.block import Block
from streamer.sinks.base import PartWriter, Sink
from streamer.threads import Threads

PATIENCE = 0.1  # seconds after which a thread that waits for a slow reader looks whether it should stop
GRACE = 0.5  # seconds that a slow reader is given to take the rest of a record when we stop
COPY = 1024 * 1024  # bytes read at once from the temporary file of a long record


class StdoutSink(Sink):
    r"""The records of all batches on one descriptor, each record's own bytes and a newline.

    Records of different batches come in turns but never inside one another; a record too long to be held waits in a
    temporary file until it is whole. At least once: nothing tells what the reader has kept, so running again writes
    everything again. An interrupted run ends with a whole record, unless the reader has stopped reading.

    Args:
        descriptor: where to write; 1 is standard output. What Python itself has buffered for it is not flushed.

    """

    def __init__(self, descriptor: int = 1) -> None:
        self._threads = Threads("streamer-stdout", 1)  # one thread, so one writer at a time
        self._pipe = Pipe(descriptor)

    def __repr__(self) -> str:
        return "StdoutSink()"

    @property
    def unread(self) -> bool:
        """Whether it was found that nobody reads any more, so that no batch can be written."""
        return self._pipe.unread

    async def open(self, batch: Batch) -> StdoutWriter:
        """Begin to write a batch; nothing is held of it.

        Raises:
            SinkError: standard output is closed.
        """
        self._pipe.check()
        return StdoutWriter(self._pipe, self._threads)

    async def close(self) -> None:
        """End the sink's thread; the descriptor stays open, it is not ours."""
        self._threads.close()


class StdoutWriter(PartWriter):
    """Standard output, as one batch sees it."""

    destination = "standard output"

    def __init__(self, pipe: Pipe, threads: Threads) -> None:
        super().__init__(Tally())
        self._pipe = pipe
        self._threads = threads
        self._long: IO[bytes] | None = None  # the long record under way

    async def write(self, block: Block) -> None:
        """Write the records of `block`; returns when the reader has room for all of them.

        Raises:
            SinkError: nobody reads any more (then its `__cause__` is a `BrokenPipeError`), or the write failed.
        """
        await self._run(partial(self._pipe.pour, block.data))

    async def write_part(self, part: bytes) -> None:
        """Put the next bytes of a long record aside."""
        await self._threads.run(partial(self._put_aside, part))

    async def end_parts(self, *, keep: bool) -> None:
        """Write the long record, or forget it."""
        if self._long is None:
            return
        if keep:
            await self._run(partial(self._pipe.pour_file, self._long))
        self._forget_long()

    async def commit(self) -> None:
        """Nothing to do: what was written is out of our hands."""

    async def close(self) -> None:
        """Forget a long record that is not whole."""
        self._forget_long()

    async def _run(self, pour: Callable[[threading.Event], None]) -> None:
        stopped = threading.Event()
        await self._threads.run(partial(pour, stopped), stop=stopped.set)

    def _put_aside(self, data: bytes) -> None:
        try:
            if self._long is None:
                self._long = tempfile.TemporaryFile()  # noqa: SIM115 - it lives from part to part
            self._long.write(data)
        except OSError as error:
            raise SinkError(
                f"a long record could not be put aside in {tempfile.gettempdir()}: {error.strerror}; "
                f"make room there or set TMPDIR, and run the same again"
            ) from error

    def _forget_long(self) -> None:
        if self._long is not None:
            self._long.close()
            self._long = None


class Pipe:
    """A descriptor that may be a pipe with a slow reader, written by one thread at a time, which can be stopped.

    A write that waits for a reader cannot be interrupted. So the thread waits in `poll`, and then writes no more than
    fits: PIPE_BUF bytes, which POSIX promises to fit when a pipe is reported ready.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._torn = False  # the last byte written is inside a record
        self.unread = False  # the reader is gone

    def check(self) -> None:
        """Raise `SinkError` when the descriptor is closed."""
        try:
            os.fstat(self._descriptor)
        except OSError as error:
            raise self._failed(error) from error

    def pour(self, data: bytes, stopped: threading.Event) -> None:
        """Write `data`, whole records; when stopped, no further than to the end of the record under way."""
        if self._torn:
            data = b"\n" + data
        written = self._write(data, stopped)
        if self._torn:
            self._write(data[written : data.index(b"\n", written) + 1])

    def pour_file(self, file: IO[bytes], stopped: threading.Event) -> None:
        """Write one record from a file; when stopped it ends where it is, with a newline."""
        if self._torn:
            self._write(b"\n", stopped)
        file.seek(0)
        while not stopped.is_set() and (data := file.read(COPY)):
            self._write(data, stopped)
        if self._torn:
            self._write(b"\n")

    def _write(self, data: bytes, stopped: threading.Event | None = None) -> int:
        """How much of `data` was written, until stopped, or until the reader made no room for the time of grace."""
        written = 0
        try:
            most = len(data) if stat.S_ISREG(os.fstat(self._descriptor).st_mode) else select.PIPE_BUF
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            while written < len(data) and not (stopped and stopped.is_set()):
                if poll.poll(1000 * (PATIENCE if stopped else GRACE)):
                    written += os.write(self._descriptor, memoryview(data)[written : written + most])
                    self._torn = data[written - 1] != ord("\n")
                elif stopped is None:
                    break
        except OSError as error:
            raise self._failed(error) from error
        return written

    def _failed(self, error: OSError) -> SinkError:
        if isinstance(error, BrokenPipeError):
            self.unread = True
            return SinkError("nobody reads standard output any more; run the same again to have everything")
        return SinkError(f"standard output could not be written: {error.strerror}; run the same again with another")
