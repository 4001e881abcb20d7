"""The journal of what sinks have acknowledged, for sinks that cannot say themselves what they hold.

One SQLite file. Plain blocking calls, made in one thread. The order that makes it honest: first the sink has a record,
then the journal does, so after a crash at most the records in between are delivered again.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable

from streamer.disk.failures import cannot_use
from streamer.disk.sqlitefile import SqliteFile
from streamer.errors import InUseError, StorageError

SCHEMA = """
CREATE TABLE acknowledged (
    target TEXT NOT NULL, batch_id TEXT NOT NULL, custom_id TEXT NOT NULL, type TEXT NOT NULL,
    PRIMARY KEY (target, batch_id, custom_id)
) WITHOUT ROWID;
CREATE TABLE delivered (  -- whole batches; their records are no longer listed one by one
    target TEXT NOT NULL, batch_id TEXT NOT NULL, type TEXT NOT NULL, records INTEGER NOT NULL,
    PRIMARY KEY (target, batch_id, type)
) WITHOUT ROWID;
"""


class Journal(SqliteFile):
    """An SQLite file of acknowledged records, for one process at a time.

    Args:
        path: the file; made when it is not there.

    Every method raises `StorageError` when the file is damaged, not a journal, in use, or cannot be written.
    """

    application = 0x5374726D  # "Strm"
    version = 1
    schema = SCHEMA

    def acknowledged(self, target: str, batch_id: str) -> dict[str, str]:
        """The records of a batch that `target` has acknowledged: custom_id to type."""
        with self._using() as connection:
            query = "SELECT custom_id, type FROM acknowledged WHERE target = ? AND batch_id = ?"
            return dict(connection.execute(query, (target, batch_id)))

    def delivered(self, target: str, batch_id: str) -> Counter[str] | None:
        """How many records by type `target` was given of a batch that is delivered as a whole; None when it is not."""
        with self._using() as connection:
            query = "SELECT type, records FROM delivered WHERE target = ? AND batch_id = ?"
            rows = connection.execute(query, (target, batch_id)).fetchall()
        return Counter(dict(rows)) if rows else None

    def acknowledge(self, target: str, batch_id: str, records: Iterable[tuple[str, str]]) -> None:
        """`target` has taken `records` (custom_id and type): remember them durably."""
        with self._changing() as connection:
            insert = "INSERT OR IGNORE INTO acknowledged VALUES (?, ?, ?, ?)"
            connection.executemany(insert, [(target, batch_id, custom_id, kind) for custom_id, kind in records])

    def deliver(self, target: str, batch_id: str) -> None:
        """The batch is proved complete and `target` has all of it: keep the numbers, forget the ids."""
        with self._changing() as connection:
            ours = (target, batch_id)
            count = "SELECT type, count(*) FROM acknowledged WHERE target = ? AND batch_id = ? GROUP BY type"
            types = connection.execute(count, ours).fetchall() or [("", 0)]  # an empty batch is delivered too
            connection.executemany(
                "INSERT INTO delivered VALUES (?, ?, ?, ?)", [(*ours, kind, records) for kind, records in types]
            )
            connection.execute("DELETE FROM acknowledged WHERE target = ? AND batch_id = ?", ours)

    def _in_use(self) -> StorageError:
        return InUseError(
            f"the checkpoint {self.path} is in use by another process; let it finish or name another file"
        )

    def _unusable(self, error: OSError | sqlite3.Error) -> StorageError:
        if isinstance(error, OSError):
            return cannot_use(self.path, error)
        return StorageError(
            f"the checkpoint {self.path} cannot be used: {error}; put that right and run the same again, or name "
            "another file, into which nothing was acknowledged yet"
        )

    def _damaged(self, what: str) -> StorageError:
        return StorageError(
            f"the checkpoint {self.path} cannot be trusted: {what}; restore it, or move it away to have every record "
            "of the batches that are not finished delivered again"
        )
