"""Where all answers go: a file of lines, a file that is one JSON array, or standard output."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from streamer.disk.directory import part_of
from streamer.disk.wholefile import BUFFER, WholeFile
from streamer.errors import ConfigurationError
from streamer.sinks.stdout import Pipe

STDOUT = "-"


def refuse_input(target: str, files: Sequence[object]) -> None:
    """See that what is written to a target takes the place of no file it is made from, nor does its `.part`.

    Args:
        target: a path, or `-`.
        files: what it is made from; an open file is nothing that could be overwritten.

    Raises:
        ConfigurationError: it would.
    """
    for written in () if target == STDOUT else (Path(target), part_of(target)):
        for file in files:
            there = isinstance(file, str | Path) and written.exists() and Path(file).exists()
            if there and written.samefile(str(file)):
                raise ConfigurationError(f"the answers cannot go to {target}: {file}, which they need, would be lost")


class Output:
    """The answers, being written one after another; blocking, for one thread at a time.

    Args:
        target: a path, whose file is a JSON array when it ends in `.json`, else JSON to a line; `-` is standard output.

    Raises:
        ConfigurationError, StorageError: it cannot be written; said when this is made, and not after hours.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self._taker = _Stdout() if target == STDOUT else WholeFile(Path(target))
        array = target.endswith(".json")
        self._before, self._between, self._after = (b"[\n", b",\n", b"\n]\n") if array else (b"", b"\n", b"\n")
        self._answers = 0
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def begin(self) -> None:
        """The next answer begins."""
        self.write(self._between if self._answers else self._before)
        self._answers += 1

    @property
    def shrinks(self) -> bool:
        """Whether a file of that name is there and has more bytes than this one, were it published now."""
        there = Path(self.target)
        return self.target != STDOUT and there.is_file() and there.stat().st_size > self._bytes + len(self._after)

    def write(self, data: bytes) -> None:
        """The next bytes of the answer.

        Raises:
            StorageError: they cannot be written.
        """
        self._taker.write(data)
        self._bytes += len(data)

    def publish(self) -> None:
        """All answers are there: make the file final.

        Raises:
            StorageError: the disk does not take it.
        """
        if self._answers:
            self._taker.write(self._after)
        elif self._before:
            self._taker.write(b"[]\n")
        self._taker.publish()

    def close(self) -> None:
        """Forget what was written to a file, unless it is published."""
        self._taker.close()


class _Stdout:
    """Standard output, written a good piece at a time."""

    def __init__(self) -> None:
        self._pipe = Pipe(1)
        self._pipe.check()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def write(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= BUFFER:
            self.publish()

    def publish(self) -> None:
        self._pipe.pour(b"".join(self._waiting), threading.Event())
        self._waiting.clear()
        self._waiting_bytes = 0

    def close(self) -> None:
        """It is not ours to close."""
