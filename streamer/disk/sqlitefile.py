"""One SQLite file for one process at a time, durable and checked before it is trusted. Plain blocking calls."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from streamer.disk.directories import make_directories
from streamer.errors import StreamerError


class SqliteFile(ABC):
    """The file behind a journal or a ledger, opened when it is first used and locked until it is closed.

    Each call may come from another thread; they go one after the other.

    Args:
        path: the file; made when it is not there.
    """

    application: int  # SQLite's application_id, so that no file of something else is taken for this
    version: int
    schema: str  # the statements that make a new one

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._connection: sqlite3.Connection | None = None
        self._turn = Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}, {'closed' if self._connection is None else 'open'}>"

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @abstractmethod
    def _in_use(self) -> StreamerError:
        """What to raise when another process has it open."""

    @abstractmethod
    def _unusable(self, error: OSError | sqlite3.Error) -> StreamerError:
        """What to raise when it cannot be opened, read or written."""

    @abstractmethod
    def _damaged(self, what: str) -> StreamerError:
        """What to raise when it is not what it should be."""

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one call; what goes wrong becomes the error of the class."""
        with self._turn:
            try:
                if self._connection is None:
                    self._connection = self._open()
                yield self._connection
            except sqlite3.OperationalError as error:
                raise (self._in_use() if "locked" in str(error) else self._unusable(error)) from error
            except sqlite3.DatabaseError as error:
                raise self._damaged(str(error)) from error

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one transaction: all of it is on the disk when the block ends, or nothing of it."""
        with self._using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:  # a full disk makes SQLite roll back by itself
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        try:
            make_directories(self.path.parent)
            if not self.path.exists():
                self._make()
            size = self.path.stat().st_size
        except OSError as error:
            raise self._unusable(error) from error
        if size == 0:
            raise self._damaged("it is empty")
        # mode=rw: were it removed just now by another process, SQLite would make an empty one.
        uri = f"{self.path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            # The lock is taken with the first transaction and kept until the file is closed.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            [(application,)] = connection.execute("PRAGMA application_id").fetchall()
            [(version,)] = connection.execute("PRAGMA user_version").fetchall()
            if application != self.application:
                raise self._damaged("it is an SQLite file of something else")
            if version != self.version:
                self._upgrade(connection, version)
            found = connection.execute("PRAGMA quick_check(1)").fetchall()
            if found != [("ok",)]:
                raise self._damaged(" ".join(str(found[0][0]).split()))
            connection.execute("PRAGMA synchronous = FULL")  # what is written survives a power cut
        except BaseException:
            connection.close()
            raise
        return connection

    def _upgrade(self, connection: sqlite3.Connection, version: int) -> None:
        """Bring a file of another version to this one, all at once; here there is no way to."""
        raise self._damaged(f"it is of version {version}, and this streamer writes version {self.version}")

    def _make(self) -> None:
        """Make a new file under another name first: the name itself is never an unfinished file."""
        # A name of our own: two processes that start at once would unlink and write each other's.
        descriptor, new = tempfile.mkstemp(prefix=self.path.name + ".new-", dir=self.path.parent)  # it makes it 0600
        os.close(descriptor)
        try:
            connection = sqlite3.connect(new)
            try:
                connection.executescript(
                    f"PRAGMA application_id = {self.application}; PRAGMA user_version = {self.version};"
                    f"PRAGMA journal_mode = WAL; {self.schema}"
                )
            finally:
                connection.close()
            with suppress(FileExistsError):  # another process was faster, and a link, unlike a rename, leaves its file
                os.link(new, self.path)
        finally:
            Path(new).unlink()
