"""Where a run stands: what the pipeline tells while it runs, kept for those who show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from time import monotonic

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.cli.show.formatting import plural, size, span
from streamer.observer import Observer
from streamer.report import BatchReport, Outcome, RunReport

RATE_SECONDS = 3.0  # the time over which bytes a second are taken


class RunProgress(Observer):
    """The batches of a run by where they stand.

    Nothing is known of a batch before it ends but that it has not: the API counts a batch's requests at its end only.

    Args:
        client: whose requests and retries are shown.
        batch_ids: the batches that are waited for from the start.
        when_finished: is given each batch's report when it is done with.
    """

    def __init__(self, client: Client, batch_ids: Iterable[str], when_finished: Callable[[BatchReport], None]) -> None:
        self.waiting: dict[str, Batch | None] = dict.fromkeys(batch_ids)
        self.streaming: dict[str, BatchReport] = {}
        self.finished_reports: list[BatchReport] = []
        self._client = client
        self._requests_before, self._retries_before = client.requests, client.retries
        self._when_finished = when_finished
        self._begun = monotonic()
        self._samples: list[tuple[float, int]] = []
        self._finished_bytes = self._finished_records = self._failed = 0
        self.earlier: set[str] = set()  # delivered by an earlier run
        self._next_look = 0.0  # on the monotonic clock

    def polled(self, batch: Batch) -> None:
        """A batch that has not ended is waited for; one that has waits for its download."""
        self.waiting[batch.id] = batch

    def paused(self, seconds: float) -> None:
        """The next question is so many seconds away."""
        self._next_look = monotonic() + seconds

    def started(self, batch: Batch, report: BatchReport) -> None:
        """Its records stream."""
        self.waiting.pop(batch.id, None)
        self.streaming[batch.id] = report

    def finished(self, report: BatchReport) -> None:
        """It is done with."""
        self.waiting.pop(report.batch_id, None)
        self.streaming.pop(report.batch_id, None)
        self.finished_reports.append(report)
        self._finished_bytes += report.bytes
        self._finished_records += report.distinct
        self._failed += not report.complete
        if report.outcome is Outcome.ALREADY_DELIVERED:
            self.earlier.add(report.batch_id)
        self._when_finished(report)

    @property
    def bytes(self) -> int:
        """Bytes of results that came so far."""
        return self._finished_bytes + sum(report.bytes for report in self.streaming.values())

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return monotonic() - self._begun

    def rate(self) -> float:
        """Bytes a second, over the last few seconds up to this call."""
        now, total = monotonic(), self.bytes
        self._samples = [sample for sample in self._samples if now - sample[0] < RATE_SECONDS] + [(now, total)]
        since, before = self._samples[0]
        return (total - before) / (now - since) if now > since else 0.0

    @property
    def known(self) -> bool:
        """Whether there is any batch to be shown."""
        return bool(self.waiting or self.streaming or self.finished_reports or self.earlier)

    def totals(self, now: datetime) -> str:
        """Everything in one line; every batch is in one of its places.

        Args:
            now: the time, to say how long until the first batch expires.
        """
        records = self._finished_records + sum(report.distinct for report in self.streaming.values())
        ended = [batch for batch in self.waiting.values() if batch is not None and batch.ended]
        at_the_api = [batch for batch in self.waiting.values() if batch is None or not batch.ended]
        finished = {report.batch_id for report in self.finished_reports}
        done = len(finished | self.earlier) - self._failed
        earlier = f" ({len(self.earlier):,} by an earlier run)" if self.earlier else ""
        parts = [
            f"{len(at_the_api):,} at the API",
            f"{len(ended):,} queued",
            f"{len(self.streaming):,} streaming",
            f"{done:,} done{earlier}",
            f"{self._failed:,} failed",
            plural(records, "record"),
            f"{size(self.bytes)} at {size(self.rate())}/s",
            span(self.seconds),
        ]
        if retries := self._client.retries - self._retries_before:
            parts.append(plural(retries, "retry"))
        if at_the_api and (pause := self._next_look - monotonic()) >= 1:
            parts.append(f"next look in {pause:.0f} s")
        expiries = [batch.expires_at for batch in at_the_api if batch is not None and batch.expires_at]
        if expiries and (rest := (min(expiries) - now).total_seconds()) > 0:
            parts.append(f"first expires in {span(rest)}")
        return ", ".join(parts)

    def lines(self, now: datetime) -> list[str]:
        """What is shown below the batches that stream."""
        return [self.totals(now)]

    def busiest(self, most: int) -> list[BatchReport]:
        """The batches that stream, those with the most bytes first."""
        return sorted(self.streaming.values(), key=lambda report: -report.bytes)[:most]

    def report(self) -> RunReport:
        """What is known now, for a run that did not come to its end; batches not done with are in it as they stand."""
        waiting = [BatchReport(batch_id=batch_id, outcome=Outcome.WAITING) for batch_id in self.waiting]
        return RunReport(
            batches=[*self.finished_reports, *self.streaming.values(), *waiting],
            seconds=self.seconds,
            requests=self._client.requests - self._requests_before,
            retries=self._client.retries - self._retries_before,
        )
