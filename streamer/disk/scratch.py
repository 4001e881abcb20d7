"""A database for what does not fit into memory, in a file that has no name: nothing of it can be left behind."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path

from streamer.disk.directories import make_directories

CACHE = 32 * 1024  # KiB of the file that SQLite keeps in memory
PAGE = 8192  # bytes: fewer of them to turn over than with the usual 4096

_SETTINGS = f"""
PRAGMA page_size = {PAGE};
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -{CACHE};
"""


def scratch_database(directory: Path, schema: str) -> sqlite3.Connection:
    """An empty database, gone when it is closed or the process ends, even by `kill -9`.

    Args:
        directory: where the file is made; it has a name only for the moment it is made in.
        schema: the statements that make its tables.

    Raises:
        OSError, sqlite3.OperationalError: the disk does not take it.
    """
    make_directories(directory)
    descriptor, name = tempfile.mkstemp(prefix=".streamer-index-", dir=directory)
    os.close(descriptor)
    try:
        connection = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        try:
            connection.executescript(_SETTINGS + schema)  # from here on it is open, and stays so: the lock is exclusive
        except BaseException:
            connection.close()
            raise
    finally:
        Path(name).unlink(missing_ok=True)
    return connection
