"""Where a submission stands: a run's board, and what is told of requests before and between the batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from streamer.answers.resubmission import Resubmission
from streamer.api.client import Client
from streamer.api.errors import SubmissionError
from streamer.cli.advice import tell_advice
from streamer.cli.board import Board
from streamer.cli.following import Following
from streamer.cli.output import escaped, plural, say
from streamer.pricing import Prices
from streamer.report import BatchReport, ProcessObserver
from streamer.requests import Spool
from streamer.step import Step


class SubmissionBoard(Board, ProcessObserver):
    """The batches of a submission, which come to be known while it runs.

    Args:
        client: whose requests and retries are shown.
        when_finished: is given each batch's report when it is done with.
        prices: what tokens cost, for somebody who looks on; None when nobody does, and nothing is said.

    Attributes:
        following: the work besides waiting and streaming.
    """

    def __init__(self, client: Client, when_finished: Callable[[BatchReport], None], prices: Prices | None) -> None:
        super().__init__(client, (), when_finished)
        self.following = Following()
        self._prices = prices

    def working(self, step: Step) -> None:
        """Some other work begins."""
        self.following.working(step)

    def lines(self, now: datetime) -> list[str]:
        """The work under way, and the totals once there is a batch."""
        step = self.following.lines(now)
        known = self.waiting or self.streaming or self.finished_reports
        return [*step, self.totals(now)] if known or not step else step

    def prepared(self, spool: Spool) -> None:
        """The files are checked."""
        if self._prices is not None:
            say(f"{plural(spool.requests, 'request')} in {plural(len(spool.slices), 'batch')}")
            tell_advice(spool, self._prices)

    def held_up(self, error: SubmissionError) -> None:
        """No more batches for now."""
        if self._prices is not None:
            say(f"{error}; those that are there are waited for")

    def sending_again(self, attempt: int, again: Resubmission) -> None:
        """Another attempt."""
        if self._prices is not None:
            kinds = ", ".join(f"{n:,} {escaped(what)}" for what, n in sorted(again.again.items()))
            say(f"sending {plural(sum(again.again.values()), 'request')} again ({kinds})")
