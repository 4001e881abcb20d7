"""What is different about the requests since some of them were sent: which are new, changed, or gone.

A request is known by its custom_id, and is the same when its params are byte for byte what was sent. Ids that were
made go by position, so rows that are appended leave those before them as they were.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Self

import msgspec

from streamer.disk.scratch import scratch_database
from streamer.errors import StorageError

NAMED = 100  # custom_ids that are kept of each kind; the others are counted
GATHERED = 20_000  # rows written at once

_SCHEMA = "CREATE TABLE sent (custom_id TEXT PRIMARY KEY, digest BLOB NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;"


class Difference(Enum):
    """How a request stands to what was sent."""

    SAME = "it was sent as it is"
    NEW = "its custom_id was not sent"
    CHANGED = "its custom_id was sent with other params"


class Changes(msgspec.Struct, kw_only=True):
    """How the requests of now stand to those that were sent."""

    same: int = 0
    new: int = 0
    changed: int = 0
    changed_ids: list[str] = []  # the first 100 of those
    removed: int = 0  # that were sent and are not asked for any more
    removed_ids: list[str] = []  # the first 100 of those

    def count(self, custom_id: str, difference: Difference) -> None:
        """Take in one request of now."""
        self.same += difference is Difference.SAME
        self.new += difference is Difference.NEW
        if difference is Difference.CHANGED:
            self.changed += 1
            if len(self.changed_ids) < NAMED:
                self.changed_ids.append(custom_id)


class SentRequests:
    """The requests that were sent, on the disk, with a digest of each; of several with one custom_id the last counts.

    Args:
        directory: where its file is made.

    Every method raises `StorageError` when the disk does not take the file.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def add(self, requests: Iterable[tuple[str, bytes]]) -> None:
        """Requests were sent, each a custom_id and its line."""
        rows = ((custom_id, _digest(line)) for custom_id, line in requests)
        with self._using() as connection:
            while gathered := list(islice(rows, GATHERED)):
                connection.execute("BEGIN")
                connection.executemany("REPLACE INTO sent VALUES (?, ?, 0)", gathered)
                connection.execute("COMMIT")

    def compare(self, requests: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes, Difference]]:
        """Each request of now, with how it stands to what was sent."""
        requests = iter(requests)
        while gathered := list(islice(requests, GATHERED)):
            with self._using() as connection:
                connection.execute("BEGIN")
                found = [self._seen(connection, custom_id) for custom_id, _ in gathered]
                connection.execute("COMMIT")
            for (custom_id, line), digest in zip(gathered, found, strict=True):
                if digest is None:
                    yield custom_id, line, Difference.NEW
                else:
                    yield custom_id, line, Difference.SAME if digest == _digest(line) else Difference.CHANGED

    def removed(self) -> Iterator[str]:
        """The custom_ids that were sent and not compared: they are not asked for any more."""
        with self._using() as connection:
            yield from (custom_id for (custom_id,) in connection.execute("SELECT custom_id FROM sent WHERE NOT seen"))

    def _seen(self, connection: sqlite3.Connection, custom_id: str) -> bytes | None:
        found = connection.execute("UPDATE sent SET seen = 1 WHERE custom_id = ? RETURNING digest", (custom_id,))
        row: tuple[bytes] | None = found.fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = scratch_database(self._directory, _SCHEMA)
            yield self._connection
        except (sqlite3.OperationalError, OSError) as error:
            raise StorageError(
                f"the requests cannot be held against those that were sent, as {self._directory} takes no file: "
                f"{error}; make room there and run the same again"
            ) from error


def _digest(line: bytes) -> bytes:
    return blake2b(line.rstrip(b"\n"), digest_size=16).digest()
