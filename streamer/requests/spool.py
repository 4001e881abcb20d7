"""The spool: one normalised copy of all requests of a submission, checked, from which batches are sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from streamer.requests.advice import Advice
from streamer.requests.estimate import Estimate
from streamer.requests.slices import Slice

_HELD = 1 << 20  # bytes of lines held before they are written
_ID_AT = len(b'{"custom_id":"')  # where the id begins in a line


class Spool(msgspec.Struct, frozen=True):
    """A spool on the disk.

    Attributes:
        path: the file; each line is `{"custom_id":"...","params":{...}}` and a newline.
        slices: what becomes of it: a batch for each.
        requests: how many lines it has.
        digest: the SHA-256 of its bytes, in hex: the same requests make the same spool.
        estimate: what it comes to.
        advice: what the prompt cache could do.
    """

    path: Path
    slices: list[Slice]
    requests: int
    digest: str
    estimate: Estimate
    advice: list[Advice]


def read_spool(path: Path, part: Slice | None = None) -> Iterator[tuple[str, bytes]]:
    """The requests of a spool, or of one slice of it, in order.

    Yields:
        The custom_id, and the line without its newline.

    Raises:
        OSError: it cannot be read.
        ValueError: no line of it ends where the slice does.
    """
    with path.open("rb", buffering=_HELD) as file:
        at, end = (0, os.fstat(file.fileno()).st_size) if part is None else (part.start, part.end)
        file.seek(at)
        while at < end and (line := file.readline()):
            at += len(line)
            yield custom_id_of(line), line[:-1]
        if at != end:
            raise ValueError(f"no request in {path} ends at byte {end:,}, where the slice does")


def custom_id_of(line: bytes) -> str:
    """The custom_id of a spool's line.

    >>> custom_id_of(b'{"custom_id":"a-1","params":{}}')
    'a-1'
    """
    return line[_ID_AT : line.index(b'"', _ID_AT)].decode()


class NewFile:
    """A file that appears under its name whole or not at all.

    While it is written it is called `NAME.new`. Only this user can read it.

    Args:
        path: its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new = path.with_name(path.name + ".new")
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._sha = sha256()
        with suppress(FileNotFoundError):
            self._new.unlink()  # of a run that was killed
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._new, flags, 0o600), "wb", buffering=0)

    @property
    def digest(self) -> str:
        """The SHA-256 of what was written, in hex; right once it is synced."""
        return self._sha.hexdigest()

    def write(self, line: bytes) -> None:
        """Write on."""
        self._held.append(line)
        self._held_bytes += len(line)
        if self._held_bytes >= _HELD:
            self._flush()

    def read_back(self) -> Iterator[bytes]:
        """The lines so far."""
        self._flush()
        with self._new.open("rb", buffering=_HELD) as file:
            yield from file

    def sync(self) -> None:
        """Have the disk keep it; it still has its preliminary name."""
        self._flush()
        os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Give it its name."""
        self._new.rename(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def close(self) -> None:
        """Close it, and remove it unless it was published."""
        self._file.close()
        with suppress(FileNotFoundError):
            self._new.unlink()

    def _flush(self) -> None:
        block = memoryview(b"".join(self._held))
        self._held.clear()
        self._held_bytes = 0
        self._sha.update(block)
        while block:
            block = block[self._file.write(block) :]
