"""From request files to one file of answers: submit, watch, stream, send again what failed, join.

Everything that must outlive an interruption is in the project, and each step begins by reading there how far it has
come. So going on after one and beginning are the same.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from pathlib import Path
from random import Random
from threading import Event
from typing import TypeVar

from streamer.answers.fields import Fields
from streamer.answers.index import Index
from streamer.answers.join import Joined, join
from streamer.answers.output import STDOUT, Output, refuse_input, refuse_no_file
from streamer.answers.sentagain import MISSING, retryable
from streamer.answers.text import TextForm, refuse_fields
from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.arguments import check_client, check_kind, check_observer
from streamer.clock import Clock, SystemClock
from streamer.errors import StorageError, SubmissionError
from streamer.observer import Observer, ProcessObserver
from streamer.progress import Progress, Work
from streamer.project.options import ProcessOptions
from streamer.project.project import Project, project_of, until
from streamer.project.resultfiles import ReadBack
from streamer.report import BatchReport, Outcome, ProcessReport, RunReport
from streamer.requests.given import GivenFiles, GivenRequests, reading, request_files
from streamer.requests.reading import RequestFile
from streamer.requests.spool import Spool
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.file import FileSink
from streamer.submission.creating import create_batches
from streamer.threads import Threads

T = TypeVar("T")

log = logging.getLogger("streamer.project")


async def process(
    client: Client,
    files: GivenFiles,
    to: str | Path,
    options: ProcessOptions | None = None,
    *,
    observer: ProcessObserver | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> ProcessReport:
    """Have every request answered, and write the answers in the order of the requests, each once.

    Interrupted anywhere, the same call goes on: no batch is created twice. When all is done it sends nothing, and
    writes the same output again.

    Args:
        client: talks to the API.
        files: the requests: files of any form, or an iterable of requests, as `streamer.submit` takes them. Unless a
            project is named, requests that the program has itself have theirs beside the answers.
        to: the file of answers; one JSON text when it ends in `.json`, else lines; `-` is standard output.
        options: how they become batches, and how those are waited for, sent again and joined.
        observer: is told what happens while it happens.
        clock: where time comes from.
        random: where jitter comes from.

    Raises:
        InvalidRequestsError: something is wrong with the files; nothing was sent.
        ConfigurationError: an argument that cannot work; nothing was sent.
        SubmissionError: batches could not be created; the results of the others are in the project.
        StorageError: something cannot be written.
        AuthenticationError, TransportError, ApiError: as `streamer.run` raises them.

    Example:
        >>> async def main() -> None:
        ...     async with Client() as client:
        ...         report = await process(client, ["requests.jsonl"], "answers.jsonl")
        ...     print(report.answers, report.complete)
    """
    check_client(client, Client)
    options, observer = options or ProcessOptions(), observer or ProcessObserver()
    check_kind("options", options, ProcessOptions)
    check_observer(observer, ProcessObserver)
    given = request_files(files)
    clock = clock or SystemClock()
    to = str(to)
    refuse_no_file(to)
    if options.text:
        refuse_fields(to, options.fields)
    refuse_input(to, [*given, options.template])
    project = Project(project_of(given, options.project, to), options, clock)
    if to != STDOUT:
        project.refuse_target(to)
    report = ProcessReport(to=to, project=str(project.directory))
    begun, sent, repeated = clock.monotonic(), client.requests, client.retries
    async with AsyncExitStack() as stack:
        threads = Threads("streamer-process", 1)
        stack.callback(threads.close)
        stack.callback(project.close)
        process = _Process(
            client,
            project,
            options,
            threads,
            report,
            observer=observer,
            clock=clock,
            random=random or Random(),  # noqa: S311 - jitter, no secret
        )
        output = await process.in_thread(  # told now, not after a day
            lambda stop: Output(to, project.note_output, keyed=options.text)
        )
        stack.callback(output.close)
        fields = await process.prepare(given)
        await process.in_thread(lambda stop: project.refuse_foreign(to))
        await process.until_answered(output, fields)
    report.seconds = clock.monotonic() - begun
    report.http_requests = client.requests - sent
    report.http_retries = client.retries - repeated
    return report


class _Process:
    """A submission under way."""

    def __init__(
        self,
        client: Client,
        project: Project,
        options: ProcessOptions,
        threads: Threads,
        report: ProcessReport,
        *,
        observer: ProcessObserver,
        clock: Clock,
        random: Random,
    ) -> None:
        self._client = client
        self._project = project
        self._options = options
        self._threads = threads
        self._report = report
        self._observer = observer
        self._clock = clock
        self._random = random
        self._incomplete = _HoldingBack(observer)
        self._fetched_again: set[str] = set()  # batches whose file was not what had been delivered
        self._held_up: SubmissionError | None = None
        self._requests = 0

    async def in_thread(self, call: Callable[[Event], T]) -> T:
        """Run a blocking call in the thread; it is given an event that is set when it is to end soon."""
        stop = Event()
        return await self._threads.run(partial(call, stop), stop=stop.set)

    async def _work(self, progress: Progress, call: Callable[[Progress, Event], T]) -> T:
        """The same for a call that may take a while."""
        with progress:
            self._observer.working(progress)
            return await self.in_thread(partial(call, progress))

    async def prepare(self, files: Sequence[RequestFile | GivenRequests]) -> Fields | None:
        """Check and plan all that is to be sent; what of each request is to stand beside its answer."""

        def plan(progress: Progress, stop: Event) -> Spool:
            return self._project.plan(ready, self._options.batch_ids, stop=stop, progress=progress)

        async with reading(files) as ready:
            spool = await self._work(Progress(Work.CHECKING), plan)
        self._requests = spool.requests
        self._observer.prepared(spool)
        if self._project.changes is not None:
            self._observer.changed(self._project.changes)
        names = self._options.fields
        if not names:
            return None
        return await self.in_thread(lambda stop: Fields(names, next(self._project.asked(), None)))

    async def until_answered(self, output: Output, fields: Fields | None) -> None:
        """Send and deliver, again if need be, and write the answers."""
        while True:
            run = await self._round()
            with Index(self._project.directory) as index:
                reading = partial(self._project.read_results, index, run)
                if await self._mended(await self._work(Progress(Work.READING), reading)):
                    continue
                self._say_incomplete()
                if await self._again(index):
                    continue
                joining = Progress(Work.JOINING, total=self._requests)
                joined = await self._work(joining, partial(self._join, index, output, fields))
                removed = await self.in_thread(lambda stop: self._project.removed_answers(index))
                self._fill_report(joined, index, removed)
                return

    async def _round(self) -> RunReport:
        """Create what is planned and not created, and deliver what is created and not delivered."""
        self._held_up = None
        template = self._project.template
        try:
            report = await run(
                self._client,
                self._undelivered(),
                FileSink(template),
                RunOptions(
                    rejects=template.removesuffix(".jsonl") + ".rejects.jsonl",
                    concurrency=self._options.concurrency,
                    poll_interval=self._options.poll_interval,
                ),
                observer=self._incomplete,
                clock=self._clock,
                random=self._random,
            )
        except BaseException:
            self._say_incomplete()
            raise
        finally:
            await self.in_thread(lambda stop: self._project.results.put_back(self._project.ledger.batches()))
        now = {batch.batch_id: batch for batch in [*self._report.batches, *report.batches]}
        self._report.batches = list(now.values())
        if self._held_up is not None:
            self._say_incomplete()
            raise self._held_up
        return report

    async def _mended(self, odd: Sequence[ReadBack]) -> bool:
        """Whether files that are not what they should be were set aside, or made final: then all is read again.

        Raises:
            StorageError: one was set aside already, and its results could not be fetched.
        """
        for one in odd:
            batch_id = one.batch.batch_id or ""
            if one.whole is not None:
                self._say_counts_disagree(batch_id)
                await self._threads.run(partial(self._project.results.accept, one))
            elif batch_id not in self._fetched_again:
                self._fetched_again.add(batch_id)
                await self._threads.run(partial(self._project.results.set_aside, one))
            else:
                raise StorageError(
                    f"{self._project.results.final(batch_id)}: {one.wrong}, and the results cannot be had again; the "
                    "answers are left as they are. Put the file back from a copy, or move it away to go on without it"
                )
        return bool(odd)

    def _say_counts_disagree(self, batch_id: str) -> None:
        """The records of a batch are not what its counts say, and are what was asked for: that is told once."""
        for report in self._incomplete.reports:
            if report.batch_id == batch_id:
                extra = {"action": "counts_disagree", "batch_id": batch_id}
                why = report.error.partition(";")[0]
                log.warning(
                    "%s: the counts disagree: %s; each of its requests has its answer", batch_id, why, extra=extra
                )
                report.outcome, report.error = Outcome.DELIVERED, ""

    def _say_incomplete(self) -> None:
        """Tell of the batches that were held back until their results were looked at."""
        reports, self._incomplete.reports = self._incomplete.reports, []
        for report in reports:
            self._observer.finished(report)

    async def _undelivered(self) -> AsyncGenerator[str, None]:
        """The batches whose results are not there yet, as they are created."""
        try:
            creating = create_batches(
                self._client,
                self._project.ledger,
                self._options,
                working=self._observer.working,
                clock=self._clock,
                random=self._random,
            )
            async with aclosing(creating) as created:
                async for one in created:
                    if one.batch_id is None:
                        continue
                    if self._project.results.delivered(one.batch_id):
                        self._observer.delivered_before(one.batch_id)
                    else:
                        yield one.batch_id
        except SubmissionError as error:  # what is created has to be paid for: it is waited for first
            self._held_up = error
            self._observer.held_up(error)

    async def _again(self, index: Index) -> bool:
        """Plan another attempt, if there is something to send again and it may be."""
        attempts = await self.in_thread(lambda stop: self._project.attempts())
        if attempts > self._options.retries:
            return False
        choosing = Progress(Work.CHOOSING, total=self._requests)
        again = await self._work(choosing, partial(self._project.plan_again, index))
        if again.slices:
            self._observer.sending_again(attempts + 1, again)
        return bool(again.slices)

    def _join(self, index: Index, output: Output, fields: Fields | None, progress: Progress, stop: Event) -> Joined:
        asked = progress.through(until(stop, self._project.asked()))
        text = TextForm.of(output.target) if self._options.text else None
        return join(asked, index, output, fields=fields, text=text)

    def _fill_report(self, joined: Joined, index: Index, removed: int) -> None:
        """Bring the report up to date."""
        report = self._report
        report.requests = joined.requests
        report.answers = joined.types
        report.errors = {word: n for word, n in joined.words.items() if word not in joined.types and word != MISSING}
        report.missing, report.missing_ids = joined.missing, joined.missing_ids
        report.unknown = joined.unknown - removed
        report.retryable = sum(n for word, n in joined.words.items() if retryable(word))
        report.usage = index.usage
        sent = self._project.ledger.batches()
        report.attempts = self._project.attempts()
        report.sent_again = sum(one.slice.requests for one in sent if one.retry)


class _HoldingBack(Observer):
    """Tells of all but batches that are not complete: their results may answer every request all the same."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.reports: list[BatchReport] = []

    def polled(self, batch: Batch) -> None:
        self._observer.polled(batch)

    def paused(self, seconds: float) -> None:
        self._observer.paused(seconds)

    def started(self, batch: Batch, report: BatchReport) -> None:
        self._observer.started(batch, report)

    def finished(self, report: BatchReport) -> None:
        if report.outcome is Outcome.INCOMPLETE:
            self.reports.append(report)
        else:
            self._observer.finished(report)
