"""From request files to one file of answers: submit, watch, stream, send again what failed, join.

Everything that must outlive an interruption is in the project, and each step begins by reading there how far it has
come. So going on after one and beginning are the same.
"""

from __future__ import annotations

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
from streamer.answers.output import STDOUT, Output, refuse_input
from streamer.answers.sentagain import MISSING, retryable
from streamer.answers.text import TextForm, refuse_fields
from streamer.api.client import Client
from streamer.arguments import check_client, check_kind, check_observer
from streamer.clock import Clock, SystemClock
from streamer.errors import SubmissionError
from streamer.observer import ProcessObserver
from streamer.progress import Progress, Work
from streamer.project.options import ProcessOptions
from streamer.project.project import Project, ending, project_of
from streamer.report import ProcessReport
from streamer.requests.given import GivenFiles, GivenRequests, reading, request_files
from streamer.requests.reading import RequestFile
from streamer.requests.spool import Spool
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.file import FileSink
from streamer.submission.creating import create_batches
from streamer.threads import Threads

T = TypeVar("T")


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
        output = await process.in_thread(
            lambda stop: Output(to, keyed=options.text)
        )  # better told now than after a day
        stack.callback(output.close)
        fields = await process.prepare(given)
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
        names = self._options.fields
        if not names:
            return None
        return await self.in_thread(lambda stop: Fields(names, next(self._project.asked(), None)))

    async def until_answered(self, output: Output, fields: Fields | None) -> None:
        """Send and deliver, again if need be, and write the answers."""
        while True:
            await self._round()
            with Index(self._project.directory) as index:
                await self._work(Progress(Work.READING), partial(self._project.read_results, index))
                if await self._again(index):
                    continue
                joining = Progress(Work.JOINING, total=self._requests)
                joined = await self._work(joining, partial(self._join, index, output, fields))
                self._fill_report(joined, index)
                return

    async def _round(self) -> None:
        """Create what is planned and not created, and deliver what is created and not delivered."""
        self._held_up = None
        results = self._project.results
        report = await run(
            self._client,
            self._undelivered(),
            FileSink(results),
            RunOptions(
                rejects=results.removesuffix(".jsonl") + ".rejects.jsonl",
                concurrency=self._options.concurrency,
                poll_interval=self._options.poll_interval,
            ),
            observer=self._observer,
            clock=self._clock,
            random=self._random,
        )
        now = {batch.batch_id: batch for batch in [*self._report.batches, *report.batches]}
        self._report.batches = list(now.values())
        if self._held_up is not None:
            raise self._held_up

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
                    if self._project.delivered(one.batch_id):
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
        asked = progress.through(self._project.asked())
        text = TextForm.of(output.target) if self._options.text else None
        return join(asked, index, output, fields=fields, text=text, check=ending(stop))

    def _fill_report(self, joined: Joined, index: Index) -> None:
        """Bring the report up to date."""
        report = self._report
        report.requests = joined.requests
        report.answers = joined.types
        report.errors = {word: n for word, n in joined.words.items() if word not in joined.types and word != MISSING}
        report.missing, report.missing_ids = joined.missing, joined.missing_ids
        report.unknown = joined.unknown
        report.retryable = sum(n for word, n in joined.words.items() if retryable(word))
        report.usage = index.usage
        sent = self._project.ledger.batches()
        report.attempts = max((one.attempt for one in sent), default=1)
        report.sent_again = sum(one.slice.requests for one in sent if one.attempt > 1)
