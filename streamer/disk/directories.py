"""Directories for this user alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def make_directories(path: Path) -> list[Path]:
    """Make a directory, and those above it that are missing, for this user alone.

    Returns:
        Those that were made, the uppermost first.
    """
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    made = []
    for directory in reversed(missing):
        with suppress(FileExistsError):  # another writer was faster; a file in its place shows on the next step
            directory.mkdir(mode=0o700)
            made.append(directory)
    return made
