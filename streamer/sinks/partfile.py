"""The file of one batch on the disk: found, locked, read, cut, and at last given its final name.

Plain blocking calls, made in a thread. The file is its own ledger: what it holds is read from it, so nothing else has
to be kept in step with it. While it grows it is called `NAME.part`; `NAME` itself is only ever a complete batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from operator import methodcaller
from pathlib import Path

from streamer.disk.directories import make_directories
from streamer.disk.directory import Directory, part_of
from streamer.disk.failures import cannot_use, cannot_write
from streamer.disk.growingfile import GrowingFile, open_alone
from streamer.errors import StorageError
from streamer.results.accounting import Tally
from streamer.sources.resultfile import BrokenFileError, last_line_end, read_records


class PartFile:
    """The file of one batch.

    Attributes:
        path: its final name.
        tally: what it held when it was opened.
        committed: whether it was complete when it was opened; then there is nothing to write.
        file: where the next record goes; always at the end of the last whole record. None when committed.
        size: how many bytes it held when it was opened.
        failure: why the file did not take what it was given; then it takes nothing more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = part_of(path)
        self.tally = Tally()
        self.committed = False
        self.file: GrowingFile | None = None
        self.size = 0
        self.failure: OSError | None = None
        self._directory: Directory | None = None
        self._stopped = False

    def open(self) -> None:
        """Open the file, find out what it holds, and cut off what a killed run left unfinished.

        Raises:
            StorageError: it cannot be used, is being written by somebody else, or holds what is not records.
        """
        try:
            make_directories(self.path.parent)
            self._directory = Directory(self.path.parent)
            while not (self._read_committed(self._directory) or self._take_part(self._directory)):
                pass  # it was committed by another process between the two looks
        except OSError as error:
            raise cannot_use(self.path, error) from error

    def stop(self) -> None:
        """Make `open`, running in another thread, give up soon."""
        self._stopped = True

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append `pieces`; that the system did not take them is to be seen in `failure`."""
        self._change(methodcaller("append", pieces))

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes; that this failed is to be seen in `failure`."""
        self._change(methodcaller("cut", size))

    def publish(self, size: int) -> None:
        """Make the file durable, give it its final name and close it.

        Args:
            size: bytes that it must have: all that was held and written.

        Raises:
            StorageError: the file is not what was written or not where it was, the disk did not take it, or the final
                name was taken.
        """
        assert self.file is not None  # noqa: S101 - a committed file is not published again
        assert self._directory is not None  # noqa: S101 - as the file is open
        found = os.fstat(self.file.fileno()).st_size
        if found != size:
            raise StorageError(
                f"{self.part} has {found:,} bytes where {size:,} were written, so it was not made final: something "
                f"else writes to it; move it away and run the same again"
            )
        try:
            self._directory.make_final(self.file.fileno(), self.path, replace=False)
            self.close()  # here, for one hop to a thread less
        except OSError as error:
            raise cannot_write(self.path, error, "what is already written is kept") from error

    @property
    def is_open(self) -> bool:
        """Whether anything is there to be closed."""
        return self._directory is not None

    def close(self) -> None:
        """Close what is open; safe to call at any time."""
        directory, self._directory = self._directory, None
        try:
            if self.file is not None:
                self.file.close()
        finally:
            if directory is not None:
                directory.close()

    def _change(self, change: Callable[[GrowingFile], object]) -> None:
        if self.file is not None and self.failure is None:
            try:
                change(self.file)
            except OSError as error:
                self.failure = error

    def _read_committed(self, directory: Directory) -> bool:
        """Read the final file; False when there is none."""
        try:
            descriptor = directory.open(self.path.name, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            self.size = os.fstat(descriptor).st_size
            self._scan(self.path, descriptor, self.size)
            directory.remove(self.part.name, descriptor)  # who made it final was killed before doing so
        finally:
            os.close(descriptor)
        self.committed = True
        return True

    def _take_part(self, directory: Directory) -> bool:
        """Lock and read the file that grows, or begin it; False when it was made final just before we had the lock."""
        self.file = open_alone(directory, self.part.name)
        if self.file is None:
            return False
        if directory.stat(self.path.name) is not None:
            if self.file.size == 0:
                directory.remove(self.part.name, self.file.fileno())  # we began it a moment too late
            self.file.close()
            self.file = None
            return False
        descriptor = self.file.fileno()
        self.size = last_line_end(descriptor, self.file.size)
        self._scan(self.part, descriptor, self.size)
        if self.size < self.file.size:
            self.file.cut(self.size)
        return True

    def _scan(self, path: Path, descriptor: int, end: int) -> None:
        try:
            for records in read_records(descriptor, end):
                self.tally.add(records.ids, records.results)
                if self._stopped:
                    raise StorageError(f"{path} was not read to its end: stopped")
        except BrokenFileError as broken:
            raise StorageError(
                f"{path} holds something else than records at byte {broken.offset:,} ({broken.reason}), so it was left "
                f"as it is; move it away and run the same again to have the batch fetched anew"
            ) from broken
