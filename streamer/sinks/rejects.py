"""What cannot be decoded as a record is kept in a file beside the results, and nothing of it is lost.

One line of JSON for each reject: batch_id, offset (where it began in the results, in bytes), length, reason, and the
bytes themselves in base64, for they may be anything. The file is made with the first reject and tells of the last
download only: a download that begins again begins it again.
"""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec

from streamer.disk.directories import make_directories
from streamer.disk.directory import Directory
from streamer.disk.failures import cannot_use, cannot_write
from streamer.disk.growingfile import GrowingFile, open_alone
from streamer.errors import InUseError
from streamer.results.block import Reject
from streamer.sinks.template import PathTemplate
from streamer.threads import Threads

PIECE = 3 << 16  # bytes encoded at once; a multiple of 3, so that the pieces of base64 make one


class RejectFile:
    """The rejects of one batch.

    Args:
        template: the path, with `{batch_id}` in it; None to keep no rejects (they are counted all the same).
        batch_id: the batch.
    """

    def __init__(self, template: str | None, batch_id: str) -> None:
        self.path: Path | None = None if template is None else PathTemplate(template).path(batch_id)
        self._batch_id = batch_id
        self._file: GrowingFile | None = None
        self._threads = Threads("streamer-rejects", 1)

    async def begin_pass(self) -> None:
        """The results are about to come from the first record again."""
        if self._file is not None:
            await self._threads.run(self._file.close)
            self._file = None

    async def add(self, reject: Reject) -> None:
        """Keep one reject.

        Raises:
            StorageError: the file cannot be written.
        """
        if self.path is not None:
            await self._threads.run(lambda: self._write(reject))

    async def discard(self) -> None:
        """The batch is complete: what an earlier run could not decode has come whole.

        Raises:
            StorageError: the file cannot be removed.
        """
        if self.path is not None and self.path.is_file():
            try:
                await self._threads.run(self.path.unlink)
            except OSError as error:
                raise cannot_use(self.path, error) from error

    async def close(self) -> None:
        """Close the file."""
        try:
            await self.begin_pass()
        finally:
            self._threads.close()

    def _write(self, reject: Reject) -> None:
        assert self.path is not None  # noqa: S101 - `add` has looked
        told = {
            "batch_id": self._batch_id,
            "offset": reject.offset,
            "length": reject.size,
            "reason": reject.reason,
        }
        try:
            if self._file is None:
                self._file = _begin(self.path)
        except OSError as error:
            raise cannot_use(self.path, error) from error
        try:
            before = msgspec.json.encode(told)[:-1] + b',"raw_base64":"'
            for start in range(0, len(reject.raw), PIECE):  # a reject may be as long as the longest record
                self._file.append([before, base64.b64encode(reject.raw[start : start + PIECE])])
                before = b""
            self._file.append([before, b'"}\n'])
        except OSError as error:
            raise cannot_write(self.path, error, "the rejects before this one are kept") from error


def _begin(path: Path) -> GrowingFile:
    """Open the file, empty.

    Raises:
        InUseError: another process writes it.
        StorageError: it could be somebody else's, or no file.
    """
    make_directories(path.parent)
    directory = Directory(path.parent)
    try:
        file = open_alone(directory, path.name)
    finally:
        directory.close()
    if file is None:
        raise InUseError(f"{path} was removed by another process just now; run the same again")
    try:
        file.cut(0)
    except BaseException:
        file.close()
        raise
    return file
