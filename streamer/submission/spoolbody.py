"""The body of a create, streamed from a slice of a spool."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

from streamer.disk.filestream import stream_file
from streamer.errors import SubmissionError
from streamer.progress import Progress, Work
from streamer.requests.slices import Slice

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
        """The bytes from the beginning, read while they are sent.

        Raises:
            SubmissionError: the spool cannot be read, or is not what was planned.
        """
        before = HEAD
        requests = self._progress.done = 0
        try:
            async with aclosing(stream_file(self._path, self._slice.start, self._slice.end)) as pieces:
                async for data in pieces:
                    yield before
                    self._progress.done += len(before)
                    requests += data.count(b"\n")
                    before = data.replace(b"\n", b",")
        except OSError as error:
            raise SubmissionError(f"the requests in {self._path} cannot be read: {error.strerror}") from error
        if requests != self._slice.requests or not before.endswith(b","):
            raise self._changed(f"it holds {requests:,} requests where {self._slice.requests:,} were planned")
        yield before[:-1] + TAIL
        self._progress.done = self.size

    def _changed(self, what: str) -> SubmissionError:
        return SubmissionError(
            f"{self._path} is not what it was when the batches were planned: {what}; run the same command again "
            "with the same request files, which writes it anew"
        )
