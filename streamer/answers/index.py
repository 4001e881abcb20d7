"""The index of answers: for each custom_id the one record that stands for its request, and where that is.

Ten million answers do not fit into memory, so they are in a SQLite file beside the output. It has a name only for the
moment it is made in, so nothing of it can be left behind, not even by `kill -9`. Records come in any order, and to put
each in its place at once would turn over the whole file again and again; so a good many are gathered and sorted first.

Which record stands: one that succeeded, else the one of the later attempt.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from operator import itemgetter
from pathlib import Path
from typing import Self

import msgspec

from streamer.answers.contents import Contents, Counting
from streamer.answers.extents import read_extents
from streamer.answers.sentagain import SUCCEEDED, word
from streamer.disk.scratch import scratch_database
from streamer.errors import ConfigurationError, StorageError
from streamer.progress import Progress, Work
from streamer.results.accounting import Tally, Tokens

GATHERED = 100_000  # records sorted at once: about 25 MB

_SUCCESS = 1 << 32  # above any number of attempts: what succeeded stands, whatever was tried later

_SCHEMA = """
CREATE TABLE answers (
    custom_id TEXT PRIMARY KEY, rank INTEGER NOT NULL, file INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, kind INTEGER NOT NULL, rival INTEGER
) WITHOUT ROWID;
"""  # rival: another file that has a record of the same rank
_INSERT = """
INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (custom_id) DO UPDATE SET
    rival = CASE WHEN excluded.rank = rank THEN file END,
    rank = excluded.rank, file = excluded.file, offset = excluded.offset, length = excluded.length, kind = excluded.kind
WHERE excluded.rank > rank OR (excluded.rank = rank AND excluded.file <> file)
"""
_SELECT = "SELECT kind, file, offset, length FROM answers WHERE custom_id = ?"
_DISPUTED = "SELECT custom_id, file, rival FROM answers WHERE rival IS NOT NULL AND rank >= ? LIMIT 1"


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The record that stands for a request, by the place where it is.

    Attributes:
        type: of the result, e.g. `succeeded`.
        error: the type of the error of an errored one, else empty.
        path: the file it is in.
        offset: where in the file it begins.
        length: how many bytes it has.
    """

    type: str
    error: str
    path: Path
    offset: int
    length: int

    @property
    def word(self) -> str:
        """The one word for what became of the request."""
        return word(self.type, self.error)


class Index:
    """The answers of any number of result files; blocking, for one thread at a time.

    Args:
        directory: where its file is made; as large as a tenth to a half of the results, for small records.

    Attributes:
        usage: tokens by model of all records that were read, whether they stand or not: all are paid for.

    Every method raises `StorageError` when the disk does not take the file.
    """

    def __init__(self, directory: Path) -> None:
        self.usage: dict[str, Tokens] = {}
        self._directory = directory
        self._files: list[Path] = []
        self._kinds: dict[tuple[str, str], int] = {}
        self._kind_names: list[tuple[str, str]] = []
        self._gathered: list[tuple[str, int, int, int, int, int]] = []
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Index of {len(self._files):,} files of results>"

    def add(
        self,
        path: Path,
        *,
        attempt: int = 1,
        growing: bool = False,
        usage: bool = True,
        check: Callable[[], None] = lambda: None,
        progress: Progress | None = None,
    ) -> Contents:
        """Take in the records of a file of results; what it holds.

        Args:
            path: the file.
            attempt: the number of the submission that its batch belongs to.
            growing: it is a `.part`, whose last line may be cut off.
            usage: count the tokens of its records, too; memory then grows with the custom_ids of one file.
            check: called from time to time; what it raises ends this.
            progress: is told how many bytes were read.

        Raises:
            ConfigurationError: the file cannot be read, or holds something else than records.
        """
        progress = progress or Progress(Work.READING)
        number = len(self._files)
        self._files.append(path)
        counting = Counting()
        tally = Tally()  # its ids are those of one batch
        for extents in read_extents(path, growing=growing):
            check()
            progress.done += sum(extents.lengths) + len(extents.lengths)  # each ends in a newline
            counting.add(extents.ids, (result.type for result in extents.results))
            if usage:
                tally.add(extents.ids, extents.results)
            succeeded = attempt + _SUCCESS
            ranks = [succeeded if result.type == SUCCEEDED else attempt for result in extents.results]
            kinds = [
                self._kind(result.type, error) for result, error in zip(extents.results, extents.errors, strict=True)
            ]
            self._gathered += zip(
                extents.ids, ranks, repeat(number), extents.offsets, extents.lengths, kinds, strict=False
            )
            if len(self._gathered) >= GATHERED:
                self._sort_in()
        for model, tokens in tally.usage.items():
            self.usage.setdefault(model, Tokens()).add(tokens)
        return counting.contents()

    def settle(self) -> None:
        """All files of now are taken in: see that no two of them claim the same request.

        Raises:
            ConfigurationError: two files of the same attempt each have an answer that succeeded; which of them answers
                the request cannot be told, as a custom_id means something within its batch only.
        """
        self._sort_in()
        with self._using() as connection:
            disputed = connection.execute(_DISPUTED, (_SUCCESS,)).fetchone()
        if disputed is not None:
            custom_id, file, rival = disputed
            raise ConfigurationError(
                f"{self._files[rival]} and {self._files[file]} both answer the request {custom_id!r}: they are results "
                "of different requests with the same custom_ids; name only those of the batches made from these"
            )

    def forget(self, custom_ids: Iterable[str]) -> None:
        """What was taken in so far answers these no more: the requests were changed and sent anew."""
        self._sort_in()
        with self._using() as connection:
            connection.execute("BEGIN")
            connection.executemany("DELETE FROM answers WHERE custom_id = ?", ((one,) for one in custom_ids))
            connection.execute("COMMIT")

    def get(self, custom_id: str) -> Answer | None:
        """The answer to a request, once all is settled; None when there is none."""
        with self._using() as connection:
            found = connection.execute(_SELECT, (custom_id,)).fetchone()
        if found is None:
            return None
        kind, file, offset, length = found
        type_, error = self._kind_names[kind]
        return Answer(type_, error, self._files[file], offset, length)

    def __len__(self) -> int:
        with self._using() as connection:
            [number] = connection.execute("SELECT count(*) FROM answers").fetchone()
        return int(number)

    def close(self) -> None:
        """Give the disk space back; closing twice is fine."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _kind(self, type_: str, error: str) -> int:
        kind = self._kinds.setdefault((type_, error), len(self._kinds))
        if kind == len(self._kind_names):
            self._kind_names.append((type_, error))
        return kind

    def _sort_in(self) -> None:
        rows, self._gathered = self._gathered, []
        rows.sort(key=itemgetter(0))  # stable: of two with the same id the later one still comes later
        with self._using() as connection:
            connection.execute("BEGIN")
            connection.executemany(_INSERT, rows)
            connection.execute("COMMIT")

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = scratch_database(self._directory, _SCHEMA)
            yield self._connection
        except (sqlite3.OperationalError, OSError) as error:
            raise StorageError(
                f"the index of answers cannot be kept in {self._directory}: {error}; make room there or choose a "
                "target elsewhere, and run the same again"
            ) from error
