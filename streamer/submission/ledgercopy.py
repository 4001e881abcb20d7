"""A ledger read beside the process that works with it: a copy is read, so that nobody is held up."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamer.errors import ConfigurationError, SubmissionError
from streamer.submission.ledger import NAME, Ledger

TRIES = 20  # copies, until nothing was written while one was made
_SUFFIXES = ("", "-wal", "-journal")  # what SQLite may keep beside the file


@contextmanager
def copied_ledger(directory: Path) -> Iterator[Ledger]:
    """The ledger of a project as it is at this moment; what is written to the copy is lost.

    Args:
        directory: the project's.

    Raises:
        ConfigurationError: there is no ledger, so it is no project.
        SubmissionError: it cannot be read.
    """
    if not (directory / NAME).is_file():
        raise ConfigurationError(f"{directory} is no project: it has no {NAME}")
    with tempfile.TemporaryDirectory(prefix="streamer-ledger-") as folder:
        try:
            _copy(directory, Path(folder))
        except OSError as error:
            raise SubmissionError(f"the ledger {directory / NAME} cannot be read: {error.strerror}") from error
        ledger = Ledger(folder)
        try:
            ledger.spools()  # it is sound, or this says why not
            yield ledger
        except SubmissionError as error:
            raise SubmissionError(str(error).replace(folder, str(directory))) from error
        finally:
            ledger.close()


def in_use(directory: Path) -> bool:
    """Whether another process works in a project; looked up where the system lists locks, for none is to be taken.

    Where it lists none, a lock's file that is there counts: a process that was killed may have left it.
    """
    try:
        inode = (directory / f"{NAME}.lock").stat().st_ino
    except OSError:
        return False
    try:
        locks = Path("/proc/locks").read_text()
    except OSError:
        return True
    return any(f":{inode} " in line for line in locks.splitlines() if "FLOCK" in line)


def _copy(directory: Path, folder: Path) -> None:
    """Copy the ledger's files while nobody writes to them."""
    for _ in range(TRIES):
        before = _written(directory)
        for suffix in _SUFFIXES:
            (folder / (NAME + suffix)).unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.copyfile(directory / (NAME + suffix), folder / (NAME + suffix))
        if _written(directory) == before:
            return


def _written(directory: Path) -> list[tuple[int, int, int]]:
    found = []
    for suffix in _SUFFIXES:
        with suppress(FileNotFoundError):
            stat = (directory / (NAME + suffix)).stat()
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return found
