"""A file that is there whole or not at all: written as `NAME.part`, made durable, then given its name.

Unlike the file of a batch it is not continued: what it holds can be made again from what is on the disk.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Self

from streamer.disk.directories import make_directories
from streamer.disk.failures import cannot_use, cannot_write
from streamer.errors import ConfigurationError, InUseError, StorageError

BUFFER = 1024 * 1024  # bytes gathered before the system is asked to take them
_KEPT = "all it is made from is kept"


def part_of(path: str | Path) -> Path:
    """What the file is called while it is written.

    >>> str(part_of("answers.jsonl"))
    'answers.jsonl.part'
    """
    return Path(f"{path}.part")


class WholeFile:
    """A file that is being written; blocking, for one thread at a time.

    Opening it begins it, and shows early whether it can be written at all. A file of that name from before stays until
    `publish` puts this one in its place.

    Raises:
        ConfigurationError: it is a directory or a device.
        InUseError: another process writes it.
        StorageError: the system does not let it be made.
    """

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            raise ConfigurationError(f"{path} is a directory; name a file in it")
        if path.exists() and not path.is_file():
            raise ConfigurationError(f"{path} is a pipe or a device, and a file would take its place; name a file")
        self.path = path
        self._part = part_of(path)
        try:
            make_directories(path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            self._file: FileIO | None = FileIO(os.open(self._part, flags, 0o600), "w")
        except OSError as error:
            raise cannot_use(self._part, error) from error
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        try:
            self._take()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<WholeFile {self.path}, {'closed' if self._file is None else 'open'}>"

    def write(self, data: bytes) -> None:
        """Write the next bytes; they reach the file when enough has gathered.

        Raises:
            StorageError: the disk does not take them.
        """
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= BUFFER:
            self.flush()

    def flush(self) -> None:
        """Have the system take what has gathered.

        Raises:
            StorageError: the disk does not take it.
        """
        file = self._opened()
        rest = memoryview(b"".join(self._waiting))
        self._waiting.clear()
        self._waiting_bytes = 0
        try:
            while rest:  # the system may take less than it is given
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise cannot_write(self._part, error, _KEPT) from error

    def sync(self) -> None:
        """Make durable what was written, under the preliminary name that it has.

        Raises:
            StorageError: the disk does not take it.
        """
        self.flush()
        try:
            os.fsync(self._opened().fileno())
        except OSError as error:
            raise cannot_write(self._part, error, _KEPT) from error

    def publish(self) -> None:
        """Make it durable and give it its name; then it is closed.

        Raises:
            StorageError: the disk does not take it.
        """
        self.sync()
        file = self._opened()
        try:
            self._part.rename(self.path)
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise cannot_write(self._part, error, _KEPT) from error
        finally:
            file.close()
            self._file = None

    def close(self) -> None:
        """Forget what was written, unless it is published."""
        if self._file is not None:
            with suppress(FileNotFoundError):
                self._part.unlink()
            self._file.close()
            self._file = None

    def _take(self) -> None:
        """Be the only one who writes it, from its beginning."""
        file = self._opened()
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(file.fileno()), self._part.lstat()):
                raise BlockingIOError  # it was published or removed between the two steps
            file.truncate(0)  # what a killed run has left
        except (BlockingIOError, FileNotFoundError) as error:
            raise InUseError(
                f"{self._part} is being written by another process; let it finish or name another file"
            ) from error
        except OSError as error:
            raise cannot_use(self._part, error) from error

    def _opened(self) -> FileIO:
        if self._file is None:
            raise StorageError(f"{self.path} takes nothing more: it is closed")
        return self._file
