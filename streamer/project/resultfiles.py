"""The files of results in a project: whether each holds what was delivered, and what is done with one that does not.

A file has its final name only when its batch was proved complete. But a name proves nothing later on: an editor, a sync
tool or a full disk may have taken lines away. So what was delivered is written into the ledger, by type and by ids,
and held against what is there whenever it is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from streamer.answers.contents import Contents, digest_of_ids
from streamer.answers.index import Index
from streamer.disk.directory import Directory, part_of
from streamer.disk.growingfile import open_alone
from streamer.errors import ConfigurationError, InUseError, StorageError
from streamer.progress import Progress
from streamer.report import Outcome
from streamer.requests.spool import read_spool
from streamer.sinks.template import safe_name
from streamer.submission.ledger import Ledger, Planned

log = logging.getLogger("streamer.project")

RESULTS = "results"


class ReadBack(NamedTuple):
    """What was found in the file of a batch."""

    batch: Planned
    wrong: str = ""  # why it is not what was delivered; empty when it is
    whole: Contents | None = None  # what is in a `.part` that answers every request of its batch, whatever the counts


class ResultFiles:
    """The results that came so far.

    Args:
        ledger: knows the batches, and what was delivered of them.
        directory: the project's.
    """

    def __init__(self, ledger: Ledger, directory: Path) -> None:
        self._ledger = ledger
        self._directory = directory / RESULTS
        self._spools = directory

    def final(self, batch_id: str) -> Path:
        """Where all results of a batch are, once they are."""
        return self._directory / f"{safe_name(batch_id)}.jsonl"

    def delivered(self, batch_id: str) -> bool:
        """Whether all results of a batch have come."""
        return self.final(batch_id).exists()

    def there(self, batches: list[Planned]) -> list[tuple[Planned, Path]]:
        """The file of each batch of which anything has come; a `.part` still grows."""
        found = []
        for one in batches:
            if one.batch_id is not None:
                final = self.final(one.batch_id)
                path = next((path for path in (final, part_of(final)) if path.exists()), None)
                if path is not None:
                    found.append((one, path))
        return found

    def read(
        self,
        one: Planned,
        path: Path,
        index: Index,
        *,
        outcome: Outcome | None,
        check: Callable[[], None],
        progress: Progress,
    ) -> ReadBack:
        """Have the results of a batch in the index, and see that they are what was delivered.

        Args:
            one: the batch.
            path: its file.
            index: takes them in.
            outcome: what this run has made of the batch; None when it had nothing to do with it.
            check: called from time to time; what it raises ends this.
            progress: is told how many bytes were read.
        """
        growing = path != self.final(one.batch_id or "")
        try:
            found = index.add(path, attempt=one.attempt, growing=growing, check=check, progress=progress)
        except ConfigurationError as error:
            if growing:
                raise
            return ReadBack(one, str(error))
        if growing:
            whole = outcome is Outcome.INCOMPLETE and one.slice.requests and not self._against_requests(one, found)
            return ReadBack(one, "", found if whole else None)
        if one.held == found:
            return ReadBack(one)
        proved = outcome is Outcome.DELIVERED
        if one.held is None or proved:
            wrong = "" if proved or not one.slice.requests else self._against_requests(one, found)
            if not wrong:
                self._ledger.hold(one.number, found)
            return ReadBack(one, wrong)
        if found.records != one.held.records:
            return ReadBack(one, f"it holds {found.records:,} records where {one.held.records:,} were delivered")
        return ReadBack(one, "its records are not those that were delivered")

    def set_aside(self, odd: ReadBack) -> None:
        """Give a file that is not what was delivered another name, so that the results are fetched again.

        Raises:
            StorageError: the system refuses it.
        """
        final = self.final(odd.batch.batch_id or "")
        extra = {"action": "damaged", "batch_id": odd.batch.batch_id}
        log.warning("%s: %s; the results are fetched again", final, odd.wrong, extra=extra)
        try:
            final.replace(_damaged(final))
        except OSError as error:
            raise StorageError(f"{final}: {odd.wrong}; it cannot be set aside: {error.strerror}") from error

    def put_back(self, batches: list[Planned]) -> None:
        """Where results could not be fetched again, what is left of them is better than nothing."""
        for one in batches:
            final = self.final(one.batch_id or "")
            if _damaged(final).exists():
                if final.exists():
                    _damaged(final).unlink()
                else:  # a `.part` stays beside it, and the next run goes on with that
                    _damaged(final).replace(final)

    def accept(self, odd: ReadBack) -> None:
        """Take a `.part` for the whole: every request has its answer in it."""
        final = self.final(odd.batch.batch_id or "")
        with ExitStack() as stack:
            directory = Directory(final.parent)
            stack.callback(directory.close)
            part = open_alone(directory, part_of(final).name)
            if part is None:
                raise InUseError(f"{part_of(final)} was taken by another process; let it finish and run the same again")
            stack.callback(part.close)
            directory.make_final(part.fileno(), final, replace=False)
        if odd.whole is not None:
            self._ledger.hold(odd.batch.number, odd.whole)

    def _against_requests(self, one: Planned, found: Contents) -> str:
        """What is wrong with results, by the requests of their batch."""
        if found.records != one.slice.requests:
            return f"it holds {found.records:,} records of {one.slice.requests:,} requests"
        asked = digest_of_ids(custom_id for custom_id, _ in read_spool(self._spools / one.spool, one.slice))
        return "" if asked == found.ids else "its records are not those of the batch's requests"


def _damaged(final: Path) -> Path:
    return final.with_name(final.name + ".damaged")
