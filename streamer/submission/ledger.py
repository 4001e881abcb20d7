"""The ledger of one project: what was planned, what was about to be created, what was created.

The only truth about creates. An intent is on the disk before its create leaves, and the batch's id is as soon as there
is an answer; so an intent without an outcome is a create that may have worked, and is settled before anything is
sent again.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from streamer.answers.contents import Contents
from streamer.disk.sqlitefile import SqliteFile
from streamer.errors import ConfigurationError, InUseError, SubmissionError
from streamer.requests.slices import Slice

NAME = "ledger.sqlite"

SCHEMA = """
CREATE TABLE spool (
    attempt INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, retry INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE batch (
    number INTEGER PRIMARY KEY, attempt INTEGER NOT NULL,
    start_byte INTEGER NOT NULL, end_byte INTEGER NOT NULL, requests INTEGER NOT NULL,
    intended_at REAL, window_at REAL, since REAL, before TEXT NOT NULL DEFAULT '', doubtful INTEGER NOT NULL DEFAULT 0,
    batch_id TEXT UNIQUE, types TEXT, ids TEXT
);
CREATE INDEX batch_attempt ON batch (attempt, number);
CREATE TABLE fact (name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name, value)) WITHOUT ROWID;
"""
UPGRADE = """
BEGIN IMMEDIATE;
ALTER TABLE spool ADD COLUMN retry INTEGER NOT NULL DEFAULT 0;
UPDATE spool SET retry = attempt > 1;
ALTER TABLE batch ADD COLUMN window_at REAL;
UPDATE batch SET window_at = intended_at;
ALTER TABLE batch ADD COLUMN doubtful INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN types TEXT;
ALTER TABLE batch ADD COLUMN ids TEXT;
CREATE TABLE fact (name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name, value)) WITHOUT ROWID;
INSERT INTO fact SELECT 'begun', coalesce(min(intended_at), {now}) FROM batch;
INSERT INTO fact SELECT 'asked', digest FROM spool WHERE attempt = 1;
PRAGMA user_version = 2;
COMMIT;
"""  # of a ledger of version 1, which knew one plan and its retries
BEGUN, SESSION, ASKED = "begun", "session", "asked"


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
    retry: bool  # it holds requests that were sent before


class Planned(msgspec.Struct, frozen=True):
    """One batch of a submission.

    Attributes:
        number: its number in the ledger, from 1.
        attempt: 1 for the first submission, 2 and up for what came to it later or was sent again.
        spool: name of the file its requests are in, in the project's directory.
        slice: where they are in it; an empty slice for a batch that was made elsewhere.
        state: how far it has come.
        batch_id: its id, when it is created.
        intended_at: when its create was about to be sent, the last time, by our clock, in seconds since 1970.
        window_at: the same for the first of its creates of which nobody knows what came.
        since: a time of the server's clock that no batch of it can be before, in seconds since 1970, when known.
        before: ids of batches of the same size that were there already before the first of those creates.
        doubtful: a create of it had no answer, and no batch was found; one may turn up.
        held: what its results are, once they are delivered.
        retry: its requests were sent before.
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
    window_at: float | None = None
    doubtful: bool = False
    held: Contents | None = None
    retry: bool = False


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
    version = 2
    schema = SCHEMA

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        super().__init__(Path(directory) / NAME)
        self._session = secrets.token_hex(8)

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
            self._let_go(discard=True)
            self.directory.rmdir()

    def spools(self) -> list[Spooled]:
        """The spools of all attempts, first attempt first."""
        with self._using() as connection:
            found = connection.execute("SELECT attempt, name, digest, retry FROM spool ORDER BY attempt")
            return [Spooled(attempt, name, digest, bool(retry)) for attempt, name, digest, retry in found]

    def batches(self, attempt: int | None = None) -> list[Planned]:
        """The batches of one attempt, or of all, in their order."""
        with self._using() as connection:
            found = connection.execute(
                "SELECT number, attempt, name, start_byte, end_byte, requests, batch_id, intended_at, since, before, "
                "window_at, doubtful, types, ids, retry "
                "FROM batch JOIN spool USING (attempt) WHERE ? IN (attempt, 0) ORDER BY number",
                (attempt or 0,),
            )
            return [_planned(row) for row in found]

    def resumed_since(self) -> float | None:
        """When the project began, in seconds since 1970; None when that was with this object.

        What an earlier one left may be an older copy of what there was.
        """
        if self.facts(SESSION) == [self._session]:
            return None
        return next(map(float, self.facts(BEGUN)), None)

    def facts(self, name: str) -> list[str]:
        """What is known of the project under a name."""
        with self._using() as connection:
            found = connection.execute("SELECT value FROM fact WHERE name = ? ORDER BY value", (name,))
            return [value for (value,) in found]

    def set_fact(self, name: str, value: str) -> None:
        """Let one value stand under a name."""
        if self.facts(name) == [value]:
            return
        with self._changing() as connection:
            _set_fact(connection, name, value)

    def add_facts(self, name: str, values: Iterable[str]) -> None:
        """Let these values stand under a name beside those that do."""
        with self._changing() as connection:
            rows = [(name, value) for value in values]
            connection.executemany("INSERT OR IGNORE INTO fact VALUES (?, ?)", rows)

    def plan(
        self,
        attempt: int,
        spool_name: str,
        digest: str,
        slices: Sequence[Slice],
        *,
        retry: bool = False,
        at: float | None = None,
    ) -> None:
        """The batches of an attempt, before the first of them is sent.

        Once a batch of the attempt was sent, planning the same spool again changes nothing, whatever the slices; before
        that, the new plan takes the place of the old one.

        Args:
            attempt: its number, from 1.
            spool_name: the file with its requests, in the project's directory.
            digest: of that file.
            slices: what becomes of it, a batch for each.
            retry: the requests were sent before.
            at: now, by our clock, in seconds since 1970, where this may be the beginning of the project.

        Raises:
            ConfigurationError: the attempt has another spool, and batches of it were sent.
        """
        with self._changing() as connection:
            begun = "SELECT count(*) FROM batch WHERE attempt = ? AND coalesce(window_at, batch_id) IS NOT NULL"
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
            _insert_plan(connection, Spooled(attempt, spool_name, digest, retry), slices)
            if attempt == 1:
                _set_fact(connection, ASKED, digest)
            if at is not None and not connection.execute("SELECT 1 FROM fact WHERE name = ?", (BEGUN,)).fetchone():
                connection.executemany("INSERT INTO fact VALUES (?, ?)", [(BEGUN, repr(at)), (SESSION, self._session)])

    def extend(self, spool: Spooled, asked: str, slices: Sequence[Slice]) -> None:
        """Requests came to the project, or went: batches that were planned and never sent give way to a new plan.

        Args:
            spool: of the requests that are to be sent now.
            asked: the digest of the spool of all requests of now.
            slices: what becomes of the new spool.
        """
        with self._changing() as connection:
            connection.execute("DELETE FROM batch WHERE window_at IS NULL AND batch_id IS NULL")
            if slices:
                _insert_plan(connection, spool, slices)
            connection.execute("DELETE FROM spool WHERE attempt > 1 AND attempt NOT IN (SELECT attempt FROM batch)")
            _set_fact(connection, ASKED, asked)

    def rename_spool(self, attempt: int, name: str) -> None:
        """The spool of an attempt has another name now."""
        with self._changing() as connection:
            connection.execute("UPDATE spool SET name = ? WHERE attempt = ?", (name, attempt))

    def intend(self, number: int, at: float, since: float | None = None, before: Iterable[str] = ()) -> None:
        """A create of this batch is about to be sent.

        What an earlier create without an answer may have made is looked for as long as the batch is not created: its
        `since` and `before` stay.

        Args:
            number: the batch's.
            at: now, by our clock, in seconds since 1970.
            since: now, or before, by the server's clock, where that is known.
            before: ids of batches that are there already and might be taken for it later.
        """
        self._change(
            "UPDATE batch SET intended_at = ?, window_at = CASE WHEN doubtful THEN window_at ELSE ? END, "
            "since = CASE WHEN doubtful THEN since ELSE ? END, before = CASE WHEN doubtful THEN before ELSE ? END "
            "WHERE number = ? AND batch_id IS NULL",
            at,
            at,
            since,
            " ".join(before),
            number,
        )

    def doubt(self, number: int) -> None:
        """No batch of this create was found, so it is sent again; should one turn up all the same, it will be seen."""
        self._change("UPDATE batch SET doubtful = 1 WHERE number = ? AND batch_id IS NULL", number)

    def created(self, number: int, batch_id: str) -> None:
        """The batch is created."""
        self._change("UPDATE batch SET batch_id = ? WHERE number = ? AND batch_id IS NULL", batch_id, number)

    def withdraw(self, number: int) -> None:
        """The create that was about to be sent certainly made no batch; an earlier one may have."""
        self._change(
            "UPDATE batch SET intended_at = CASE WHEN doubtful THEN intended_at END, "
            "window_at = CASE WHEN doubtful THEN window_at END, since = CASE WHEN doubtful THEN since END, "
            "before = CASE WHEN doubtful THEN before ELSE '' END WHERE number = ? AND batch_id IS NULL",
            number,
        )

    def hold(self, number: int, held: Contents) -> None:
        """The results of a batch are delivered, and this is what they are."""
        with self._changing() as connection:
            values = (msgspec.json.encode(held.types).decode(), held.ids, number)
            connection.execute("UPDATE batch SET types = ?, ids = ? WHERE number = ?", values)

    def adopt(self, attempt: int, batch_ids: Iterable[str]) -> None:
        """Batches that were created elsewhere belong to an attempt, which has been planned; known ones stay."""
        with self._changing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO batch (attempt, start_byte, end_byte, requests, batch_id) "
                "VALUES (?, 0, 0, 0, ?)",
                [(attempt, batch_id) for batch_id in batch_ids],
            )

    def _upgrade(self, connection: sqlite3.Connection, version: int) -> None:
        if version != 1:
            super()._upgrade(connection, version)
        connection.executescript(UPGRADE.format(now=self.path.stat().st_mtime))

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


def _planned(row: tuple[Any, ...]) -> Planned:
    number, attempt, spool, start, end, requests, batch_id, intended_at, since, before, *others = row
    window_at, doubtful, types, ids, retry = others
    return Planned(
        number=number,
        attempt=attempt,
        spool=spool,
        slice=Slice(start=start, end=end, requests=requests),
        state=State.CREATED if batch_id else State.PLANNED if intended_at is None else State.INTENDED,
        batch_id=batch_id,
        intended_at=intended_at,
        since=since,
        before=tuple(before.split()),
        window_at=window_at,
        doubtful=bool(doubtful),
        held=None if types is None else Contents(msgspec.json.decode(types, type=dict[str, int]), ids),
        retry=bool(retry),
    )


def _insert_plan(connection: sqlite3.Connection, spool: Spooled, slices: Sequence[Slice]) -> None:
    connection.execute("REPLACE INTO spool (attempt, name, digest, retry) VALUES (?, ?, ?, ?)", spool)
    connection.executemany(
        "INSERT INTO batch (attempt, start_byte, end_byte, requests) VALUES (?, ?, ?, ?)",
        [(spool.attempt, one.start, one.end, one.requests) for one in slices],
    )


def _set_fact(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("DELETE FROM fact WHERE name = ?", (name,))
    connection.execute("INSERT INTO fact VALUES (?, ?)", (name, value))
