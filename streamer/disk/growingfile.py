"""A private file that this process alone appends to."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from weakref import WeakSet

from streamer.disk.directory import Directory
from streamer.errors import InUseError, StorageError

STRETCH = 1024 * 1024  # bytes of a growing file that are written out together; a file of a few MB must be, too
MOST_PIECES = os.sysconf("SC_IOV_MAX")  # that the system takes at once
_CAN_ADVISE = hasattr(os, "posix_fadvise")

Piece = bytes | bytearray | memoryview


class GrowingFile(FileIO):
    """A file that is appended to and will be synced: the system is asked to write it out as it grows.

    Else all of it waits in the cache for the fsync at the end, and a copy takes a fifth longer.
    """

    locked = False
    size = 0  # bytes in it; asking the system each time would cost the thread another turn with the interpreter's lock

    def append(self, pieces: Sequence[Piece]) -> None:
        """Append the pieces, in order, without making one of them."""
        rest: Sequence[Piece] = pieces
        while rest:  # the system may take less than it is given, e.g. when the disk fills up
            written = os.writev(self.fileno(), rest[:MOST_PIECES])
            self.size += written
            rest = left(rest, written)
            full = self.size // STRETCH * STRETCH
            begin = (self.size - written) // STRETCH * STRETCH
            if _CAN_ADVISE and begin < full:
                # Waits for nothing. What is not written yet stays in the cache; these bytes are not asked for again.
                os.posix_fadvise(self.fileno(), begin, full - begin, os.POSIX_FADV_DONTNEED)

    def cut(self, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(self.fileno(), size)
        self.size = size

    def lock(self) -> None:
        """Be the only one who has it locked, until it is closed.

        Raises:
            BlockingIOError: somebody else has.
        """
        fcntl.flock(self.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.locked = True
        _locked.add(self)

    def close(self) -> None:
        """Close it; whoever has a copy of the descriptor, such as a forked child, does not keep the lock."""
        try:
            if self.locked and not self.closed:
                fcntl.flock(self.fileno(), fcntl.LOCK_UN)
        finally:
            super().close()


_locked: WeakSet[GrowingFile] = WeakSet()


def _close_in_child() -> None:
    """A forked child shares the lock: it would keep the next run out as long as it lives, though we are gone."""
    for file in list(_locked):
        FileIO.close(file)  # without letting go of the lock, which would be the parent's
    _locked.clear()


os.register_at_fork(after_in_child=_close_in_child)


def open_alone(directory: Directory, name: str) -> GrowingFile | None:
    """Open a private file in order to write it; it is made when there is none.

    It is a plain file of this user's, 0600, with one name, and locked until it is closed.

    Returns:
        The file; None when it lost its name before it was locked: whoever had it locked has published or removed it.

    Raises:
        InUseError: another process writes it.
        StorageError: it is something else than a plain file, or not this user's alone.
        OSError: the system refuses it.
    """
    path = directory.path / name
    file = GrowingFile(directory.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT), "a+")
    try:
        try:
            file.lock()
        except BlockingIOError as error:
            raise InUseError(
                f"{path} is being written by another process; let it finish or choose another target"
            ) from error
        found = os.fstat(file.fileno())
        if not directory.holds(name, file.fileno()):
            file.close()
            return None
        if found.st_uid != os.geteuid() or found.st_nlink != 1:
            raise StorageError(
                f"{path} is not this user's alone (another owner, or a second name for the same file); "
                f"remove it or choose another target"
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            with suppress(PermissionError):  # of a file system on which all files have one mode
                os.fchmod(file.fileno(), 0o600)
        file.size = found.st_size
    except BaseException:
        file.close()
        raise
    return file


def left(pieces: Sequence[Piece], written: int) -> Sequence[Piece]:
    """What is left of `pieces` when so many bytes of them are written.

    >>> [bytes(piece) for piece in left([b"one", b"two", b"three"], 4)]
    [b'wo', b'three']
    """
    for number, piece in enumerate(pieces):
        if written < len(piece):
            return [memoryview(piece)[written:], *pieces[number + 1 :]]
        written -= len(piece)
    return []
