"""Where all answers go: a file of lines, a file that is one JSON text, or standard output."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Self

from streamer.disk.directory import part_of
from streamer.disk.wholefile import BUFFER, WholeFile, check_target
from streamer.errors import ConfigurationError, StorageError
from streamer.sinks.stdout import Pipe
from streamer.sinks.targets import SCHEMED

STDOUT = "-"


def refuse_input(target: str, files: Sequence[object]) -> None:
    """See that what is written to a target takes the place of no file it is made from, nor does its `.part`.

    Args:
        target: a path, or `-`.
        files: what it is made from; an open file is nothing that could be overwritten.

    Raises:
        ConfigurationError: it would, or no file can be there.
    """
    if target != STDOUT:
        check_target(Path(target))
    for written in () if target == STDOUT else (Path(target), part_of(target)):
        for file in files:
            there = isinstance(file, str | Path) and written.exists() and Path(file).exists()
            if there and written.samefile(str(file)):
                raise ConfigurationError(f"the answers cannot go to {target}: {file}, which they need, would be lost")


def refuse_no_file(target: str) -> None:
    """See that a target of all answers is what it can be: one file, or standard output.

    Raises:
        ConfigurationError: it names another place, or a file for each batch.
    """
    schemed = SCHEMED.fullmatch(target)
    if schemed is not None and not Path(target).exists():
        raise ConfigurationError(
            f"the answers cannot go to {target!r}: they go into one file or to stdout, and {schemed[1]}: is neither; "
            f"name a file, or write ./{target} for one of that name"
        )
    if "{batch_id}" in target:
        raise ConfigurationError(
            f"the answers cannot go to {target!r}: they go into one file, whatever their batch; leave {{batch_id}} out"
        )


def output_digest(target: str) -> str | None:
    """What tells the file at `target` from others; None where there is none, or nothing in it.

    Raises:
        StorageError: it cannot be read.
    """
    path = Path(target)
    if target == STDOUT or not path.is_file() or path.stat().st_size == 0:
        return None
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StorageError(
            f"{target}, whose place the answers are to take, cannot be read: {error.strerror}"
        ) from error


class Output:
    """The answers, being written one after another; blocking, for one thread at a time.

    Args:
        target: a path, whose file is one JSON text when it ends in `.json`, else of lines; `-` is standard output.
        about_to_publish: is given the digest of all that was written, before the file gets its name.
        keyed: the answers are members of a JSON object and not elements of an array, where it is one JSON text.

    Raises:
        ConfigurationError, StorageError: it cannot be written; said when this is made, and not after hours.
    """

    def __init__(
        self, target: str, about_to_publish: Callable[[str], None] = lambda digest: None, *, keyed: bool = False
    ) -> None:
        self.target = target
        self._about_to_publish = about_to_publish
        self._sha = sha256()
        self._taker = _Stdout() if target == STDOUT else WholeFile(Path(target))
        begin, end = (b"{", b"}") if keyed else (b"[", b"]")
        self._empty = begin + end + b"\n"
        self._before, self._between, self._after = b"", b"\n", b"\n"
        if target.endswith(".json"):
            self._before, self._between, self._after = begin + b"\n", b",\n", b"\n" + end + b"\n"
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
        self._sha.update(data)
        self._bytes += len(data)

    def publish(self) -> None:
        """All answers are there: make the file final.

        Raises:
            StorageError: the disk does not take it.
        """
        if self._answers:
            self.write(self._after)
        elif self._before:
            self.write(self._empty)
        self._about_to_publish(self._sha.hexdigest())
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
