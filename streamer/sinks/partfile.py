"""The file of one batch on the disk: found, locked, read, cut, and at last given its final name.

Plain blocking calls, made in a thread. The file is its own ledger: what it holds is read from it, so nothing else has
to be kept in step with it. While it grows it is called `NAME.part`; `NAME` itself is only ever a complete batch.

Results hold personal data, so files are 0600 and new directories 0700. No symbolic link is followed where a file is
expected, and every name is looked up inside one opened directory, which cannot be exchanged in between.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import FileIO
from operator import methodcaller
from pathlib import Path

from streamer.disk.directories import make_directories
from streamer.disk.failures import cannot_use, cannot_write
from streamer.errors import InUseError, StorageError
from streamer.results.accounting import Tally
from streamer.sources.resultfile import BrokenFileError, last_line_end, read_records

STRETCH = 1024 * 1024  # bytes of a growing file that are written out together; a file of a few MB must be, too
MOST_PIECES = os.sysconf("SC_IOV_MAX")  # that the system takes at once
_CAN_ADVISE = hasattr(os, "posix_fadvise")
_COMMON = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not blocking: opening a pipe must not wait for its other end


class GrowingFile(FileIO):
    """A file that is appended to and will be synced: the system is asked to write it out as it grows.

    Else all of it waits in the cache for the fsync at the end, and a copy takes a fifth longer.
    """

    size = 0  # bytes in it; asking the system each time would cost the thread another turn with the interpreter's lock

    def append(self, pieces: Sequence[bytes]) -> None:
        """Append the pieces, in order, without making one of them."""
        rest: Sequence[bytes | memoryview] = pieces
        while rest:  # the system may take less than it is given, e.g. when the disk fills up
            written = os.writev(self.fileno(), rest[:MOST_PIECES])
            self.size += written
            rest = left(rest, written)
            full = self.size // STRETCH * STRETCH
            begin = (self.size - written) // STRETCH * STRETCH
            if _CAN_ADVISE and begin < full:
                # Waits for nothing. What is not written yet stays in the cache; these bytes are not asked for again.
                os.posix_fadvise(self.fileno(), begin, full - begin, os.POSIX_FADV_DONTNEED)

    def truncate(self, size: int | None = None, /) -> int:
        """Cut the file."""
        self.size = super().truncate(size)
        return self.size


def left(pieces: Sequence[bytes | memoryview], written: int) -> Sequence[bytes | memoryview]:
    """What is left of `pieces` when so many bytes of them are written.

    >>> [bytes(piece) for piece in left([b"one", b"two", b"three"], 4)]
    [b'wo', b'three']
    """
    for number, piece in enumerate(pieces):
        if written < len(piece):
            return [memoryview(piece)[written:], *pieces[number + 1 :]]
        written -= len(piece)
    return []


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
        self.part = path.with_name(path.name + ".part")
        self.tally = Tally()
        self.committed = False
        self.file: GrowingFile | None = None
        self.size = 0
        self.failure: OSError | None = None
        self._directory = -1
        self._stopped = False

    def open(self) -> None:
        """Open the file, find out what it holds, and cut off what a killed run left unfinished.

        Raises:
            StorageError: it cannot be used, is being written by somebody else, or holds what is not records.
        """
        try:
            make_directories(self.path.parent)
            self._directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            while not (self._read_committed() or self._take_part()):
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
        self._change(methodcaller("truncate", size))

    def publish(self, size: int) -> None:
        """Make the file durable, give it its final name and close it.

        Args:
            size: bytes that it must have: all that was held and written.

        Raises:
            StorageError: the file is not what was written, the disk did not take it, or the final name was taken.
        """
        assert self.file is not None  # noqa: S101 - a committed file is not published again
        found = os.fstat(self.file.fileno()).st_size
        if found != size:
            raise StorageError(
                f"{self.part} has {found:,} bytes where {size:,} were written, so it was not made final: something "
                f"else writes to it; move it away and run the same again"
            )
        try:
            os.fsync(self.file.fileno())
        except OSError as error:
            # The kernel takes the lost pages for written from now on, so neither a second fsync nor what a later run
            # reads from its cache proves anything (https://wiki.postgresql.org/wiki/Fsync_Errors).
            with suppress(OSError):  # a disk that fails may refuse this too; the sentence tells the rest
                os.unlink(self.part.name, dir_fd=self._directory)
            raise cannot_write(
                self.part, error, "this batch will be fetched anew, for nobody knows what of its file was lost"
            ) from error
        try:
            if self._stat(self.path.name) is not None:
                raise StorageError(
                    f"{self.path} was made by somebody else meanwhile; move it away and run the same again"
                )
            os.rename(self.part.name, self.path.name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            os.fsync(self._directory)
            self.close()  # here, for one hop to a thread less
        except OSError as error:
            raise cannot_write(self.path, error, "what is already written is kept") from error

    @property
    def is_open(self) -> bool:
        """Whether anything is there to be closed."""
        return self._directory >= 0

    def close(self) -> None:
        """Close what is open; safe to call at any time."""
        directory, self._directory = self._directory, -1
        try:
            if self.file is not None:
                self.file.close()
        finally:
            if directory >= 0:
                os.close(directory)

    def _change(self, change: Callable[[GrowingFile], object]) -> None:
        if self.file is not None and self.failure is None:
            try:
                change(self.file)
            except OSError as error:
                self.failure = error

    def _read_committed(self) -> bool:
        """Read the final file; False when there is none."""
        try:
            descriptor = self._open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            self.size = os.fstat(descriptor).st_size
            self._scan(self.path, descriptor, self.size)
        finally:
            os.close(descriptor)
        self.committed = True
        return True

    def _take_part(self) -> bool:
        """Lock and read the file that grows, or begin it; False when it was renamed just before we had the lock."""
        descriptor = self._open(self.part, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        self.file = GrowingFile(descriptor, "a+")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUseError(
                f"{self.part} is being written by another process; let it finish or choose another target"
            ) from error
        ours, named = os.fstat(descriptor), self._stat(self.part.name)
        still_ours = named is not None and os.path.samestat(ours, named)
        if not still_ours or self._stat(self.path.name) is not None:
            if still_ours and ours.st_size == 0:
                os.unlink(self.part.name, dir_fd=self._directory)  # we began it a moment too late
            self.file.close()
            self.file = None
            return False
        if ours.st_uid != os.geteuid() or ours.st_nlink != 1:
            raise StorageError(
                f"{self.part} is not this user's alone (another owner, or a second name for the same file); "
                f"remove it or choose another target"
            )
        self.size = last_line_end(descriptor, ours.st_size)
        self._scan(self.part, descriptor, self.size)
        if self.size < ours.st_size:
            os.ftruncate(descriptor, self.size)
        self.file.size = self.size
        return True

    def _open(self, path: Path, flags: int) -> int:
        """Open a plain file by its name in our directory."""
        descriptor = os.open(path.name, flags | _COMMON, 0o600, dir_fd=self._directory)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                kind = "a directory" if stat.S_ISDIR(mode) else "not a plain file"
                raise StorageError(f"{path} cannot be used: it is {kind}; remove it or choose another target")
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

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

    def _stat(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return None
