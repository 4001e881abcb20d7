"""The ledger of one project: what was planned, what was about to be created, what was created.

The only truth about creates. An intent is on the disk before its create leaves, and the batch's id is as soon as there
is an answer; so an intent without an outcome is a create that may have worked, and is settled before anything is
sent again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from streamer.disk.sqlitefile import SqliteFile
from streamer.errors import ConfigurationError, InUseError, SubmissionError
from streamer.requests.slices import Slice

NAME = "ledger.sqlite"

SCHEMA = """
CREATE TABLE spool (attempt INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE batch (
    number INTEGER PRIMARY KEY, attempt INTEGER NOT NULL,
    start_byte INTEGER NOT NULL, end_byte INTEGER NOT NULL, requests INTEGER NOT NULL,
    intended_at REAL, since REAL, before TEXT NOT NULL DEFAULT '', batch_id TEXT UNIQUE
);
CREATE INDEX batch_attempt ON batch (attempt, number);
"""


class State(StrEnum):
    """How far a batch has come."""

    PLANNED = "planned"  # nothing was sent
    INTENDED = "intended"  # a create was about to be sent; what came of it is not known
    CREATED = "created"


class Spooled(NamedTuple):
    """The spool of one attempt."""

    attempt: int
    name: str  # the file's, in the project's directory
    digest: str


class Planned(msgspec.Struct, frozen=True):
    """One batch of a submission.

    Attributes:
        number: its number in the ledger, from 1.
        attempt: 1 for the first submission, 2 and up for what was sent again.
        spool: name of the file its requests are in, in the project's directory.
        slice: where they are in it; an empty slice for a batch that was made elsewhere.
        state: how far it has come.
        batch_id: its id, when it is created.
        intended_at: when its create was about to be sent, by our clock, in seconds since 1970.
        since: a time of the server's clock that its creation cannot be before, in seconds since 1970, when known.
        before: ids of batches of the same size that were there already when its create was about to be sent.
    """

    number: int
    attempt: int
    spool: str
    slice: Slice
    state: State
    batch_id: str | None = None
    intended_at: float | None = None
    since: float | None = None
    before: tuple[str, ...] = ()


class Ledger(SqliteFile):
    """The SQLite file `ledger.sqlite` in a project's directory, for one process at a time.

    Plain blocking calls, from any thread. Each is one transaction that is on the disk when it returns.

    Args:
        directory: the project's; made when it is not there.

    Every method raises `SubmissionError` when the file is damaged, no ledger, in use, or cannot be written.

    Example:
        >>> import tempfile
        >>> ledger = Ledger(tempfile.mkdtemp())
        >>> ledger.plan(1, "requests.jsonl", "a digest", [Slice(start=0, end=120, requests=2)])
        >>> ledger.intend(1, at=1_790_000_000.0)
        >>> ledger.created(1, "msgbatch_1")
        >>> [(batch.number, str(batch.state), batch.batch_id) for batch in ledger.batches()]
        [(1, 'created', 'msgbatch_1')]
        >>> ledger.close()
    """

    application = 0x53744C67  # "StLg"
    version = 1
    schema = SCHEMA

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        super().__init__(Path(directory) / NAME)

    @property
    def directory(self) -> Path:
        """The project's directory."""
        return self.path.parent

    def remove(self) -> None:
        """Remove the file again, of a submission of which nothing was planned; its directory too, if it is empty.

        Nothing is removed that is not this process's: the file is when it is open here, for it is locked then.
        """
        with self._turn, suppress(OSError, sqlite3.Error):
            if self._connection is None or self._connection.execute("SELECT count(*) FROM spool").fetchone() != (0,):
                return
            # Without a WAL, closing touches no other file by its name: that may be another process's from here on.
            self._connection.execute("PRAGMA journal_mode = DELETE")
            self.path.unlink()
            self._connection.close()
            self._connection = None
            self.directory.rmdir()

    def spools(self) -> list[Spooled]:
        """The spools of all attempts, first attempt first."""
        with self._using() as connection:
            return [Spooled(*found) for found in connection.execute("SELECT * FROM spool ORDER BY attempt")]

    def batches(self, attempt: int | None = None) -> list[Planned]:
        """The batches of one attempt, or of all, in their order."""
        with self._using() as connection:
            found = connection.execute(
                "SELECT number, attempt, name, start_byte, end_byte, requests, intended_at, since, before, batch_id "
                "FROM batch JOIN spool USING (attempt) WHERE ? IN (attempt, 0) ORDER BY number",
                (attempt or 0,),
            )
            return [_planned(*fields) for fields in found]

    def plan(self, attempt: int, spool_name: str, digest: str, slices: Sequence[Slice]) -> None:
        """The batches of an attempt, before the first of them is sent.

        Once a batch of the attempt was sent, planning the same spool again changes nothing, whatever the slices; before
        that, the new plan takes the place of the old one.

        Raises:
            ConfigurationError: the attempt has another spool, and batches of it were sent.
        """
        with self._changing() as connection:
            begun = "SELECT count(*) FROM batch WHERE attempt = ? AND coalesce(intended_at, batch_id) IS NOT NULL"
            [(sent,)] = connection.execute(begun, (attempt,))
            before = connection.execute("SELECT digest FROM spool WHERE attempt = ?", (attempt,)).fetchone()
            if sent and before == (digest,):
                return
            if sent:
                raise ConfigurationError(
                    f"the requests are not those of which {sent:,} batches were sent already from {self.directory}: "
                    "put the request files back as they were, or name another project directory for the new ones"
                )
            connection.execute("DELETE FROM batch WHERE attempt = ?", (attempt,))
            connection.execute("REPLACE INTO spool VALUES (?, ?, ?)", (attempt, spool_name, digest))
            connection.executemany(
                "INSERT INTO batch (attempt, start_byte, end_byte, requests) VALUES (?, ?, ?, ?)",
                [(attempt, one.start, one.end, one.requests) for one in slices],
            )

    def intend(self, number: int, at: float, since: float | None = None, before: Iterable[str] = ()) -> None:
        """A create of this batch is about to be sent.

        Args:
            number: the batch's.
            at: now, by our clock, in seconds since 1970.
            since: now, or before, by the server's clock, where that is known.
            before: ids of batches that are there already and might be taken for it later.
        """
        self._change(
            "UPDATE batch SET intended_at = ?, since = ?, before = ? WHERE number = ? AND batch_id IS NULL",
            at,
            since,
            " ".join(before),
            number,
        )

    def created(self, number: int, batch_id: str) -> None:
        """The batch is created."""
        self._change("UPDATE batch SET batch_id = ? WHERE number = ? AND batch_id IS NULL", batch_id, number)

    def withdraw(self, number: int) -> None:
        """The batch was certainly not created: nothing was sent."""
        self._change(
            "UPDATE batch SET intended_at = NULL, since = NULL, before = '' WHERE number = ? AND batch_id IS NULL",
            number,
        )

    def adopt(self, attempt: int, batch_ids: Iterable[str]) -> None:
        """Batches that were created elsewhere belong to an attempt, which has been planned; known ones stay."""
        with self._changing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO batch (attempt, start_byte, end_byte, requests, batch_id) "
                "VALUES (?, 0, 0, 0, ?)",
                [(attempt, batch_id) for batch_id in batch_ids],
            )

    def _change(self, statement: str, *values: object) -> None:
        with self._changing() as connection:
            changed = connection.execute(statement, values).rowcount
            if changed != 1:
                raise SubmissionError(
                    f"the ledger {self.path} has no batch number {values[-1]} that is not created yet: "
                    "it is not the ledger of this submission"
                )

    def _in_use(self) -> InUseError:
        return InUseError(
            f"the project {self.directory} is in use by another process; let it finish, or name another directory"
        )

    def _unusable(self, error: OSError | sqlite3.Error) -> SubmissionError:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return SubmissionError(
            f"the ledger {self.path} cannot be used: {why}; put that right, or name another project directory"
        )

    def _damaged(self, what: str) -> SubmissionError:
        return SubmissionError(
            f"the ledger {self.path} cannot be trusted: {what}; restore it. Without it nobody knows which batches were "
            "paid for: before anything is sent again, look with `streamer list`"
        )


def _planned(
    number: int,
    attempt: int,
    spool: str,
    start: int,
    end: int,
    requests: int,
    intended_at: float | None,
    since: float | None,
    before: str,
    batch_id: str | None,
) -> Planned:
    state = State.CREATED if batch_id else State.PLANNED if intended_at is None else State.INTENDED
    return Planned(
        number=number,
        attempt=attempt,
        spool=spool,
        slice=Slice(start=start, end=end, requests=requests),
        state=state,
        batch_id=batch_id,
        intended_at=intended_at,
        since=since,
        before=tuple(before.split()),
    )
