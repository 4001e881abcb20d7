"""The body of a create, streamed from a slice of a spool."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing
from functools import partial
from io import FileIO
from pathlib import Path

from streamer.api.body import PART_BYTES
from streamer.errors import SubmissionError
from streamer.progress import Progress, Work
from streamer.requests.slices import Slice
from streamer.threads import Threads

HEAD = b'{"requests":['
TAIL = b"]}"


class SpoolBody:
    r"""The requests of one slice as `{"requests":[...]}`, a MiB at a time: each newline between them becomes a comma.

    No JSON holds a raw newline, so every newline of a spool is the end of a request. They are counted while they pass,
    and the last part is held back until their number is right: what the API would take is what was planned, or nothing.

    Args:
        path: the spool.
        slice: whole lines of it, the last newline included.
        progress: is told how many bytes were handed on.

    Attributes:
        size: bytes of the whole body.

    Raises:
        SubmissionError: the spool is not there, or does not reach as far as the slice.
    """

    def __init__(self, path: str | os.PathLike[str], slice: Slice, progress: Progress | None = None) -> None:  # noqa: A002 - the design's word
        self._path = Path(path)
        self._slice = slice
        self._progress = progress or Progress(Work.SENDING)
        try:
            there = self._path.stat().st_size
        except OSError as error:
            raise SubmissionError(f"the requests in {self._path} cannot be read: {error.strerror}") from error
        if there < slice.end:
            raise self._changed(f"it has {there:,} bytes, and the requests reach to byte {slice.end:,}")
        self.size = self._progress.total = slice.body_bytes

    def __repr__(self) -> str:
        return f"<SpoolBody of {self._slice.requests:,} requests, {self.size:,} bytes, from {self._path}>"

    async def parts(self) -> AsyncIterator[bytes]:
        """The bytes from the beginning, read in a thread.

        Raises:
            SubmissionError: the spool cannot be read, or is not what was planned.
        """
        before = HEAD
        requests = self._progress.done = 0
        async with aclosing(self._lines()) as lines:
            async for data in lines:
                yield before
                self._progress.done += len(before)
                requests += data.count(b"\n")
                before = data.replace(b"\n", b",")
        if requests != self._slice.requests or not before.endswith(b","):
            raise self._changed(f"it holds {requests:,} requests where {self._slice.requests:,} were planned")
        yield before[:-1] + TAIL
        self._progress.done = self.size

    async def _lines(self) -> AsyncGenerator[bytes, None]:
        threads = Threads("streamer-spool", 1)
        left = self._slice.end - self._slice.start
        try:
            with ExitStack() as stack:
                file = await threads.run(partial(self._open, stack))
                while left and (data := await threads.run(partial(file.read, min(left, PART_BYTES)))):
                    left -= len(data)
                    yield data
        except OSError as error:
            raise SubmissionError(f"the requests in {self._path} cannot be read: {error.strerror}") from error
        finally:
            threads.close()

    def _open(self, stack: ExitStack) -> FileIO:
        file = FileIO(self._path)
        stack.callback(file.close)  # here: whoever waits for it may be cancelled by now
        file.seek(self._slice.start)
        return file

    def _changed(self, what: str) -> SubmissionError:
        return SubmissionError(
            f"{self._path} is not what it was when the batches were planned: {what}; run the same command again "
            "with the same request files, which writes it anew"
        )
