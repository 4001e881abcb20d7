"""What cannot be decoded as a record is kept in a file beside the results, and nothing of it is lost.

One line of JSON for each reject: batch_id, offset (where it began in the results, in bytes), length, reason, and the
bytes themselves in base64, for they may be anything. The file is made with the first reject and tells of the last
download only: a download that begins again begins it again.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from streamer.sinks.partfile import cannot_use, cannot_write, make_directories
from streamer.sinks.template import Template
from streamer.sinks.threads import Lane, Threads

if TYPE_CHECKING:
    from streamer.results.block import Reject


class RejectFile:
    """The rejects of one batch.

    Args:
        template: the path, with `{batch_id}` in it; None to keep no rejects (they are counted all the same).
        batch_id: the batch.
    """

    def __init__(self, template: str | None, batch_id: str) -> None:
        self.path: Path | None = None if template is None else Template(template).path(batch_id)
        self._batch_id = batch_id
        self._file: BinaryIO | None = None
        self._threads = Threads("streamer-rejects", 1)
        self._lane = Lane(self._threads)

    async def begin_pass(self) -> None:
        """The results are about to come from the first record again."""
        if self._file is not None:
            await self._lane.run(self._file.close)
            self._file = None

    async def add(self, reject: Reject) -> None:
        """Keep one reject.

        Raises:
            SinkError: the file cannot be written.
        """
        if self.path is not None:
            await self._lane.run(lambda: self._write(reject))

    async def discard(self) -> None:
        """The batch is complete: what an earlier run could not decode has come whole."""
        if self.path is not None and self.path.is_file():
            await self._lane.run(self.path.unlink)

    async def close(self) -> None:
        """Close the file."""
        try:
            await self.begin_pass()
        finally:
            self._threads.close()

    def _write(self, reject: Reject) -> None:
        assert self.path is not None  # noqa: S101 - `add` has looked
        line = {
            "batch_id": self._batch_id,
            "offset": reject.offset,
            "length": reject.length,
            "reason": reject.reason,
            "raw_base64": base64.b64encode(reject.raw).decode("ascii"),
        }
        try:
            if self._file is None:
                make_directories(self.path.parent)
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.fdopen(os.open(self.path, flags, 0o600), "wb", buffering=0)
        except OSError as error:
            raise cannot_use(self.path, error) from error
        try:
            self._file.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            raise cannot_write(self.path, error, "the rejects before this one are kept") from error
