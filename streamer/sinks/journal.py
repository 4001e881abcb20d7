"""The journal of what sinks have acknowledged, for sinks that cannot say themselves what they hold.

One SQLite file. Plain blocking calls, made in one thread. The order that makes it honest: first the sink has a record,
then the journal does, so after a crash at most the records in between are delivered again.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streamer.api.errors import SinkError
from streamer.sinks.partfile import cannot_use, make_directories

APPLICATION = 0x5374726D  # "Strm", so that no other SQLite file is taken for a journal
VERSION = 1

SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
PRAGMA journal_mode = WAL;
CREATE TABLE acknowledged (
    target TEXT NOT NULL, batch_id TEXT NOT NULL, custom_id TEXT NOT NULL, type TEXT NOT NULL,
    PRIMARY KEY (target, batch_id, custom_id)
) WITHOUT ROWID;
CREATE TABLE delivered (  -- whole batches; their records are no longer listed one by one
    target TEXT NOT NULL, batch_id TEXT NOT NULL, type TEXT NOT NULL, records INTEGER NOT NULL,
    PRIMARY KEY (target, batch_id, type)
) WITHOUT ROWID;
"""


class Journal:
    """An SQLite file of acknowledged records, for one process at a time.

    Args:
        path: the file; made when it is not there.

    Every method raises `SinkError` when the file is damaged, not a journal, in use, or cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._connection: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return f"<Journal {self.path}, {'closed' if self._connection is None else 'open'}>"

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
        with self._using() as connection, connection:
            insert = "INSERT OR IGNORE INTO acknowledged VALUES (?, ?, ?, ?)"
            connection.executemany(insert, [(target, batch_id, custom_id, kind) for custom_id, kind in records])

    def deliver(self, target: str, batch_id: str) -> None:
        """The batch is proved complete and `target` has all of it: keep the numbers, forget the ids."""
        with self._using() as connection, connection:
            ours = (target, batch_id)
            count = "SELECT type, count(*) FROM acknowledged WHERE target = ? AND batch_id = ? GROUP BY type"
            types = connection.execute(count, ours).fetchall() or [("", 0)]  # an empty batch is delivered too
            connection.executemany(
                "INSERT INTO delivered VALUES (?, ?, ?, ?)", [(*ours, kind, records) for kind, records in types]
            )
            connection.execute("DELETE FROM acknowledged WHERE target = ? AND batch_id = ?", ours)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = self._open()
            yield self._connection
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise SinkError(
                    f"the checkpoint {self.path} is in use by another process; let it finish or name another file"
                ) from error
            raise SinkError(f"the checkpoint {self.path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error

    def _open(self) -> sqlite3.Connection:
        try:
            make_directories(self.path.parent)
            if not self.path.exists():
                self._make()
        except OSError as error:
            raise cannot_use(self.path, error) from error
        if self.path.stat().st_size == 0:
            raise self._damaged("it is empty")
        connection = sqlite3.connect(self.path, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            # The lock is taken with the first transaction and kept until the file is closed.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            [(application,)] = connection.execute("PRAGMA application_id").fetchall()
            [(version,)] = connection.execute("PRAGMA user_version").fetchall()
            if application != APPLICATION:
                raise self._damaged("it is an SQLite file of something else")
            if version != VERSION:
                raise self._damaged(f"it is of version {version}, and this streamer writes version {VERSION}")
            found = connection.execute("PRAGMA quick_check(1)").fetchall()
            if found != [("ok",)]:
                raise self._damaged(" ".join(str(found[0][0]).split()))
            connection.execute("PRAGMA synchronous = FULL")  # what is acknowledged survives a power cut
        except BaseException:
            connection.close()
            raise
        return connection

    def _make(self) -> None:
        """Make a new journal under another name first: the name itself is never an unfinished file."""
        new = self.path.with_name(self.path.name + ".new")
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(new)
        try:
            connection.executescript(SCHEMA)
        finally:
            connection.close()
        os.link(new, self.path)  # unlike a rename, this fails when another process was faster
        new.unlink()

    def _damaged(self, what: str) -> SinkError:
        return SinkError(
            f"the checkpoint {self.path} cannot be trusted: {what}; restore it, or move it away to have every record "
            "of the batches that are not finished delivered again"
        )
