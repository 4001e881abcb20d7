"""One SQLite file for one process at a time, durable and checked before it is trusted. Plain blocking calls."""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from streamer.disk.directories import make_directories
from streamer.disk.directory import Directory, part_of
from streamer.disk.growingfile import GrowingFile, open_alone
from streamer.errors import InUseError, StreamerError


class SqliteFile(ABC):
    """The file behind a journal or a ledger, opened when it is first used and locked until it is closed.

    Each call may come from another thread; they go one after the other.

    When a change returns, all of it is in the one file: what SQLite keeps beside it (`NAME-wal`) may be lost, in a copy
    for one. The lock is a file of its own, `NAME.lock`, there while this is open: SQLite's own locks are let go of as
    soon as anything else in this process closes the file, even if it only read it
    (https://www.sqlite.org/howtocorrupt.html, section 2.2).

    Args:
        path: the file; made when it is not there.
    """

    application: int  # SQLite's application_id, so that no file of something else is taken for this
    version: int
    schema: str  # the statements that make a new one

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._connection: sqlite3.Connection | None = None
        self._directory: Directory | None = None
        self._lock: GrowingFile | None = None
        self._turn = Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}, {'closed' if self._connection is None else 'open'}>"

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._turn:
            self._let_go()

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
                raise self._refused(error) from error
            except sqlite3.DatabaseError as error:
                raise self._damaged(str(error)) from error
            except UnicodeDecodeError as error:  # of what SQLite says of a file that is damaged
                raise self._damaged(f"it holds what is no UTF-8 ({error.reason})") from error

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
            # It is durable from here on, and in the file itself.
            [(busy, written, moved)] = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            if busy or written != moved:
                raise self._in_use()

    def _refused(self, error: sqlite3.OperationalError) -> StreamerError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # text that is no UTF-8 has none
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return self._in_use()
        # Our statements are right, so what they do not find is not in the file as it should be.
        return self._damaged(str(error)) if code == sqlite3.SQLITE_ERROR else self._unusable(error)

    def _open(self) -> sqlite3.Connection:
        try:
            make_directories(self.path.parent)
            self._directory = Directory(self.path.parent)
            self._lock = self._locked(self._directory)
            self._sweep()
            if self._directory.stat(self.path.name) is None:
                self._make(self._directory)
            return self._connect(self.path)
        except OSError as error:
            self._let_go()
            raise self._unusable(error) from error
        except BaseException:
            self._let_go()
            raise

    def _locked(self, directory: Directory) -> GrowingFile:
        """Be the only process that uses the file."""
        file = None
        while file is None:  # another one let go of the lock just now, and removed its file
            try:
                file = open_alone(directory, self.path.name + ".lock")
            except InUseError as error:
                raise self._in_use() from error
        return file

    def _sweep(self) -> None:
        """Remove what a process that was killed while it made a file has left."""
        part = part_of(self.path)
        for suffix in ("", "-journal", "-wal"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)

    def _let_go(self, *, discard: bool = False) -> None:
        """Close what is open; when told so, remove the file first."""
        connection, self._connection = self._connection, None
        lock, self._lock = self._lock, None
        directory, self._directory = self._directory, None
        try:
            if connection is not None:
                connection.close()
            if discard:
                self.path.unlink()
        finally:
            if lock is not None and directory is not None:
                directory.remove(self.path.name + ".lock", lock.fileno())
                lock.close()
            if directory is not None:
                directory.close()

    def _connect(self, path: Path) -> sqlite3.Connection:
        """Open a file that is there, and see that it is what it should be."""
        if path.stat().st_size == 0:
            raise self._damaged("it is empty")
        # mode=rw: were it removed just now, SQLite would make an empty one.
        uri = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            # SQLite's own lock keeps out others who know nothing of ours; it is taken with the first transaction.
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
            # A change is made durable by the checkpoint that follows it, and not by its commit as well.
            if connection.execute("PRAGMA journal_mode = WAL").fetchall() != [("wal",)]:
                raise self._unusable(sqlite3.OperationalError("it cannot keep a write-ahead log there"))
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _upgrade(self, connection: sqlite3.Connection, version: int) -> None:
        """Bring a file of another version to this one, all at once; here there is no way to."""
        raise self._damaged(f"it is of version {version}, and this streamer writes version {self.version}")

    def _make(self, directory: Directory) -> None:
        """Make a new file under another name first: the name itself is never an unfinished file."""
        part = part_of(self.path)
        file = open_alone(directory, part.name)
        if file is None:
            raise self._in_use()
        try:
            connection = sqlite3.connect(part, isolation_level=None)
            try:
                connection.executescript(
                    f"BEGIN; PRAGMA application_id = {self.application}; PRAGMA user_version = {self.version};"
                    f"{self.schema} COMMIT;"
                )
            finally:
                connection.close()
            self._connect(part).close()
            directory.make_final(file.fileno(), self.path, replace=False)
        finally:
            file.close()
            self._sweep()
