"""A file that is there whole or not at all: written as `NAME.part`, made durable, then given its name.

Unlike the file of a batch it is not continued: what it holds can be made again from what is on the disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from streamer.disk.directories import make_directories
from streamer.disk.directory import Directory, part_of
from streamer.disk.failures import cannot_use, cannot_write
from streamer.disk.growingfile import GrowingFile, open_alone
from streamer.disk.names import check_name
from streamer.errors import ConfigurationError, InUseError, StorageError

BUFFER = 1024 * 1024  # bytes gathered before the system is asked to take them
KEPT = "all it is made from is kept"


def check_target(path: Path) -> None:
    """See that a file may be made at `path`, or may take the place of what is there.

    Raises:
        ConfigurationError: a directory, a pipe or a device is there, or no file can be called so.
    """
    check_name(path)
    if path.is_dir():
        raise ConfigurationError(f"{path} is a directory; name a file in it")
    if path.exists() and not path.is_file():
        raise ConfigurationError(f"{path} is a pipe or a device, and a file would take its place; name a file")


class WholeFile:
    """A file that is being written; blocking, for one thread at a time.

    Opening it begins it, and shows early whether it can be written at all. A file of that name from before stays until
    `publish` puts this one in its place.

    Args:
        path: the file.
        kept: what remains where the disk does not take it, for the error.

    Raises:
        ConfigurationError: it is a directory or a device.
        InUseError: another process writes it.
        StorageError: the system does not let it be made, or something is in the way.
    """

    def __init__(self, path: Path, *, kept: str = KEPT) -> None:
        check_target(path)
        self.path = path
        self._part = part_of(path)
        self._kept = kept
        self._waiting: list[bytes | bytearray | memoryview] = []
        self._waiting_bytes = 0
        self._directory: Directory | None = None
        self._file: GrowingFile | None = None
        try:
            make_directories(path.parent)
            self._directory = Directory(path.parent)
            self._file = open_alone(self._directory, self._part.name)
            if self._file is None:
                raise InUseError(f"{path} was written by another process just now; let it finish or name another file")
            self._file.cut(0)  # what a killed run has left
        except OSError as error:
            self._let_go()
            raise cannot_use(self._part, error) from error
        except BaseException:
            self._let_go()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<WholeFile {self.path}, {'closed' if self._file is None else 'open'}>"

    def write(self, data: bytes | bytearray | memoryview) -> None:
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
        one = len(self._waiting) == 1  # which may be long, and needs no copy
        with self._writing() as (file, _):
            pieces = self._waiting if one else [b"".join(self._waiting)]
            self._waiting, self._waiting_bytes = [], 0
            file.append(pieces)

    def sync(self) -> None:
        """Make durable what was written, under the preliminary name that it has.

        Raises:
            StorageError: the disk does not take it.
        """
        self.flush()
        with self._writing() as (file, _):
            os.fsync(file.fileno())

    def read_back(self) -> Iterator[bytes]:
        """The lines written so far.

        Raises:
            StorageError: the disk does not take or give them.
        """
        self.flush()
        with self._writing() as (file, _), os.fdopen(os.dup(file.fileno()), "rb", buffering=BUFFER) as lines:
            lines.seek(0)
            yield from lines

    def publish(self) -> None:
        """Make it durable and give it its name; then it is closed.

        Raises:
            StorageError: the disk does not take it, or its name leads to another file by now.
        """
        self.flush()
        with self._writing() as (file, directory):
            directory.make_final(file.fileno(), self.path, replace=True)
        self._let_go()

    def close(self) -> None:
        """Forget what was written, unless it is published."""
        try:
            if self._file is not None and self._directory is not None:
                self._directory.remove(self._part.name, self._file.fileno())
        finally:
            self._let_go()

    @contextmanager
    def _writing(self) -> Iterator[tuple[GrowingFile, Directory]]:
        """The file and its directory; what the disk refuses becomes a sentence."""
        if self._file is None or self._directory is None:
            raise StorageError(f"{self.path} takes nothing more: it is closed")
        try:
            yield self._file, self._directory
        except OSError as error:
            raise cannot_write(self._part, error, self._kept) from error

    def _let_go(self) -> None:
        file, self._file = self._file, None
        directory, self._directory = self._directory, None
        try:
            if file is not None:
                file.close()
        finally:
            if directory is not None:
                directory.close()
