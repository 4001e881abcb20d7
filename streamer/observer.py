"""What a run tells while it runs: subclass an observer and override what you want to hear.

Calls come from the event loop, so return fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.answers.resubmission import Resubmission
    from streamer.api.types import Batch
    from streamer.errors import SubmissionError
    from streamer.progress import Progress
    from streamer.report import BatchReport
    from streamer.requests.changes import Changes
    from streamer.requests.spool import Spool


class Observer:
    """What a run tells while it runs; override what you want to hear."""

    def polled(self, batch: Batch) -> None:
        """`batch` was asked for and stands as it says."""

    def paused(self, seconds: float) -> None:
        """No batch is asked for during the next so many seconds, unless one more is to be watched meanwhile."""

    def started(self, batch: Batch, report: BatchReport) -> None:
        """The records of `batch` begin to stream; `report` is live from now on."""

    def finished(self, report: BatchReport) -> None:
        """This batch is done with, one way or the other."""


class SubmitObserver:
    """What `submit` tells while it works; override what you want to hear."""

    def working(self, progress: Progress) -> None:
        """Work begins that may take a while; `progress` is live from now on."""

    def prepared(self, spool: Spool) -> None:
        """The request files are checked; nothing was sent in this run so far."""

    def changed(self, changes: Changes) -> None:
        """The requests are not those of an earlier run; what is new among them is sent alone."""

    def probed(self, requests: int) -> None:
        """The API answered so many requests that were sent as ordinary messages, each billed at the full price."""

    def created(self, batch_id: str) -> None:
        """A batch is created, in this run or before; they come in their order."""


class ProcessObserver(Observer):
    """What `process` tells besides; override what you want to hear."""

    def working(self, progress: Progress) -> None:
        """Work begins that may take a while; `progress` is live from now on."""

    def prepared(self, spool: Spool) -> None:
        """The request files are checked; nothing was sent in this run so far."""

    def delivered_before(self, batch_id: str) -> None:
        """An earlier run has delivered this batch, so it is not asked for again."""

    def changed(self, changes: Changes) -> None:
        """The requests are not those of an earlier run; what is new among them is sent alone."""

    def held_up(self, error: SubmissionError) -> None:
        """No more batches can be created now; those that are there are waited for, then `error` is raised."""

    def sending_again(self, attempt: int, again: Resubmission) -> None:
        """Requests that failed are about to be sent again, as this attempt."""
