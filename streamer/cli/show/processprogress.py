"""Where a submission stands: a run's board, and what is told of requests before and between the batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from streamer.answers.resubmission import Resubmission
from streamer.api.client import Client
from streamer.api.masking import escaped
from streamer.cli.show.advice import say_advice, say_warnings
from streamer.cli.show.changes import new_requests
from streamer.cli.show.formatting import plural
from streamer.cli.show.progressline import ProgressLine
from streamer.cli.show.runprogress import RunProgress
from streamer.cli.stdio import say
from streamer.errors import SubmissionError
from streamer.observer import ProcessObserver
from streamer.pricing import Prices
from streamer.progress import Progress
from streamer.report import BatchReport
from streamer.requests.changes import Changes
from streamer.requests.spool import Spool


class ProcessProgress(RunProgress, ProcessObserver):
    """The batches of a submission, which come to be known while it runs.

    Args:
        client: whose requests and retries are shown.
        when_finished: is given each batch's report when it is done with.
        prices: what tokens cost; None when nothing is to be said.
        looked_on: whether somebody looks on, and hears of what goes well, too.

    Attributes:
        progress_line: the work besides waiting and streaming.
    """

    def __init__(
        self,
        client: Client,
        when_finished: Callable[[BatchReport], None],
        prices: Prices | None,
        *,
        looked_on: bool = True,
    ) -> None:
        super().__init__(client, (), when_finished)
        self._looked_on = looked_on and prices is not None
        self.progress_line = ProgressLine()
        self._prices = prices

    def working(self, progress: Progress) -> None:
        """Some other work begins."""
        self.progress_line.working(progress)

    def lines(self, now: datetime) -> list[str]:
        """The work under way, and the totals once there is a batch."""
        progress = self.progress_line.lines(now)
        return [*progress, self.totals(now)] if self.known or not progress else progress

    def prepared(self, spool: Spool) -> None:
        """The files are checked."""
        if self._prices is None:
            return
        if self._looked_on:
            say(f"{plural(spool.requests, 'request')} in {plural(len(spool.slices), 'batch')}")
        say_warnings(spool, self._prices)
        if self._looked_on:
            say_advice(spool, self._prices)

    def delivered_before(self, batch_id: str) -> None:
        """It is done, though not by this run."""
        self.earlier.add(batch_id)

    def changed(self, changes: Changes) -> None:
        """The files are not those of before."""
        if self._looked_on:
            say(new_requests(changes))

    def held_up(self, error: SubmissionError) -> None:
        """No more batches for now."""
        if self._looked_on:
            say(f"{error}; those that are there are waited for")

    def sending_again(self, attempt: int, again: Resubmission) -> None:
        """Another attempt."""
        if self._looked_on:
            kinds = ", ".join(f"{n:,} {escaped(what)}" for what, n in sorted(again.again.items()))
            say(f"sending {plural(sum(again.again.values()), 'request')} again ({kinds})")
