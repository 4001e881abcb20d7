"""An open directory, in which private files are opened and get their final names.

A name is not the file that it was a moment ago: a sync tool, an editor or a person may put another one in its place
while ours is open. So each name is looked up in the directory that is open here, which cannot be exchanged, and before
and after a file is made final its name is proved to lead to the file that was written.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from streamer.disk.failures import cannot_write, lost_its_name
from streamer.disk.names import PART
from streamer.errors import StorageError

_COMMON = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not blocking: opening a pipe must not wait for its other end
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # of a file system that has no hard links


def part_of(path: str | Path) -> Path:
    """What a file is called until it is whole.

    >>> str(part_of("answers.jsonl"))
    'answers.jsonl.part'
    """
    return Path(f"{path}{PART}")


class Directory:
    """A directory that is open until it is closed.

    Attributes:
        path: its name.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._absolute = path.absolute()  # the working directory may become another one
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __repr__(self) -> str:
        return f"<Directory {self.path}>"

    def open(self, name: str, flags: int) -> int:
        """Open a plain file, for this user alone when it is made; no symbolic link is followed.

        Raises:
            StorageError: something else than a file has the name.
            OSError: the system refuses it.
        """
        descriptor = os.open(name, flags | _COMMON, 0o600, dir_fd=self._descriptor)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                kind = "a directory" if stat.S_ISDIR(mode) else "not a plain file"
                raise StorageError(
                    f"{self.path / name} cannot be used: it is {kind}; remove it or choose another target"
                )
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def stat(self, name: str) -> os.stat_result | None:
        """What has the name in this directory; None when nothing has."""
        try:
            return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def holds(self, name: str, descriptor: int) -> bool:
        """Whether the name in this directory is that of an open file."""
        found = self.stat(name)
        return found is not None and os.path.samestat(found, os.fstat(descriptor))

    def remove(self, name: str, descriptor: int) -> None:
        """Take the name away from an open file, if it has it."""
        if self.holds(name, descriptor):
            with suppress(FileNotFoundError):  # somebody else was faster
                os.unlink(name, dir_fd=self._descriptor)

    def make_final(self, descriptor: int, path: Path, *, replace: bool) -> None:
        """Make an open file durable and give it its final name in place of `NAME.part`.

        Args:
            descriptor: the file.
            path: the name, in this directory.
            replace: take the place of an older file of that name; else the name must be free, and is taken by a link,
                which unlike a rename takes nobody else's.

        Raises:
            StorageError: the name `NAME.part` leads to another file by now, or the final one does, or that is taken,
                and nothing was made final; or the fsync failed, and the file was removed.
            OSError: the system refuses it.
        """
        part = part_of(path)
        try:
            os.fsync(descriptor)
        except OSError as error:
            # The kernel takes the lost pages for written from now on, so neither a second fsync nor what a later run
            # reads from its cache proves anything (https://wiki.postgresql.org/wiki/Fsync_Errors).
            with suppress(OSError):  # a disk that fails may refuse this too; the sentence tells the rest
                self.remove(part.name, descriptor)
            kept = "nobody knows what of the file was lost, so it was removed, and what it held is fetched anew"
            raise cannot_write(part, error, kept) from error
        if not self._is_found(part.name, descriptor):
            raise lost_its_name(part)
        if replace:
            self._rename(part.name, path.name)
        else:
            self._link(part.name, path.name)
        if not self._is_found(path.name, descriptor):
            self._undo(part.name, path.name)
            raise lost_its_name(path)
        os.fsync(self._descriptor)
        self.remove(part.name, descriptor)

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)

    def _is_found(self, name: str, descriptor: int) -> bool:
        """Whether whoever looks for the name, by its whole path, finds the open file."""
        try:
            found = os.lstat(self._absolute / name)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return os.path.samestat(found, os.fstat(descriptor))

    def _rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def _link(self, old: str, new: str) -> None:
        """Give a file a second name that nothing has.

        Raises:
            StorageError: something has it.
        """
        try:
            os.link(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor, follow_symlinks=False)
        except FileExistsError as error:
            raise _taken(self.path / new) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if self.stat(new) is not None:
                raise _taken(self.path / new) from error
            self._rename(old, new)

    def _undo(self, old: str, new: str) -> None:
        """Take back a final name that turned out to be that of another file, or in a directory that was moved away."""
        named, final = self.stat(old), self.stat(new)
        if final is None:
            return
        if named is None:
            self._rename(new, old)
        elif os.path.samestat(named, final):
            os.unlink(new, dir_fd=self._descriptor)


def _taken(path: Path) -> StorageError:
    return StorageError(f"{path} was made by somebody else meanwhile; move it away and run the same again")
