"""From request files to one file of answers: submit, watch, stream, send again what failed, join.

Everything that must outlive an interruption is in the project, and each step begins by reading there how far it has
come. So going on after one and beginning are the same.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
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
from streamer.answers.retry import MISSING, retryable
from streamer.api.client import Client
from streamer.api.clock import Clock, SystemClock
from streamer.api.errors import ConfigurationError, SubmissionError
from streamer.pipeline import CONCURRENCY, run
from streamer.project import Project, ending, project_of
from streamer.report import ProcessObserver, ProcessReport, RunReport
from streamer.requests import MAX_BYTES, MAX_REQUESTS, Fault, Spool
from streamer.requests.reading import RequestFile
from streamer.sinks.file import FileSink
from streamer.step import Step, Work
from streamer.submission.creating import create_batches
from streamer.submission.ledger import Planned
from streamer.submission.settling import STOP, OnUnknown
from streamer.threads import Threads
from streamer.watching.roster import POLL_INTERVAL

RETRIES = 2  # times that something is sent again, unless told

T = TypeVar("T")


async def process(
    client: Client,
    files: Sequence[RequestFile],
    to: str | Path,
    *,
    batch_ids: Sequence[str] = (),
    project: str | Path | None = None,
    retries: int = RETRIES,
    fields: Sequence[str] = (),
    id_prefix: str | None = None,
    template: str | Path | None = None,
    on_unknown: OnUnknown = STOP,
    warm_cache: bool = False,
    max_requests: int = MAX_REQUESTS,
    max_bytes: int = MAX_BYTES,
    concurrency: int = CONCURRENCY,
    poll_interval: float = POLL_INTERVAL,
    on_fault: Callable[[Fault], None] = lambda fault: None,
    observer: ProcessObserver | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> ProcessReport:
    """Have every request answered, and write the answers in the order of the requests, each once.

    Interrupted anywhere, the same call goes on: no batch is created twice. When all is done it sends nothing, and
    writes the same output again.

    Args:
        client: talks to the API.
        files: the requests, in any form: see `streamer.requests.prepare`.
        to: the file of answers; a JSON array when it ends in `.json`, else lines of JSON; `-` is standard output.
        batch_ids: batches that were made of these requests elsewhere; then only what failed in them is sent.
        project: the directory of the submission; by default the first file's name and `.streamer`.
        retries: how many times requests that failed are sent again, at most.
        fields: what of each request to put beside its answer: see `streamer.answers.fields.Fields`.
        id_prefix: what custom_ids that have to be made begin with.
        template: params for CSV.
        on_unknown: what to do where it cannot be told whether a batch was created: see `create_batches`.
        warm_cache: let a first batch of one request end before the others are sent.
        max_requests: how many requests a batch may have.
        max_bytes: how long the body of a batch may be.
        concurrency: downloads under way at once.
        poll_interval: seconds: the shortest pause between two questions about the same batch.
        on_fault: told of everything that is wrong with the files.
        observer: is told what happens while it happens.
        clock: where time comes from.
        random: where jitter comes from.

    Raises:
        FaultsError: something is wrong with the files; nothing was sent.
        ConfigurationError: an argument that cannot work; nothing was sent.
        SubmissionError: batches could not be created; the results of the others are in the project.
        SinkError: something cannot be written.
        AuthenticationError, TransportError, ApiError: as `streamer.run` raises them.

    Example:
        >>> async def main() -> None:
        ...     async with Client() as client:
        ...         report = await process(client, ["requests.jsonl"], "answers.jsonl")
        ...     print(report.answers, report.complete)
    """
    if isinstance(files, str | Path) or isinstance(batch_ids, str) or isinstance(fields, str):
        raise ConfigurationError("files, batch_ids and fields are lists, not one string; put it into [...]")
    if retries < 0:
        raise ConfigurationError(f"retries must be 0 or more, not {retries}")
    random = random or Random()  # noqa: S311 - jitter, no secret
    clock = clock or SystemClock()
    to = str(to)
    refuse_input(to, [*files, template])
    place = Project(project_of(files, project), max_requests=max_requests, max_bytes=max_bytes)
    if to != STDOUT:
        place.refuse_target(to)
    report = ProcessReport(to=to, project=str(place.directory))
    begun, sent, repeated = clock.monotonic(), client.requests, client.retries
    observer = observer or ProcessObserver()
    create = partial(
        create_batches,
        client,
        on_unknown=on_unknown,
        warm_cache=warm_cache,
        working=observer.working,
        clock=clock,
        random=random,
    )
    deliver = partial(run, client, concurrency=concurrency, poll_interval=poll_interval, clock=clock, random=random)
    plan = partial(
        place.plan,
        files,
        batch_ids,
        on_fault=on_fault,
        id_prefix=id_prefix,
        template=template,
        warm_cache=warm_cache,
    )
    async with AsyncExitStack() as stack:
        threads = Threads("streamer-process", 1)
        stack.callback(threads.close)
        stack.callback(place.close)
        process = _Process(place, threads, report, observer, create, deliver)
        output = await process.in_thread(lambda stop: Output(to))  # better told now than after a day
        stack.callback(output.close)
        chosen = await process.prepare(plan, fields)
        await process.until_answered(retries, output, chosen)
    report.seconds = clock.monotonic() - begun
    report.http_requests = client.requests - sent
    report.http_retries = client.retries - repeated
    return report


class _Process:
    """A submission under way."""

    def __init__(
        self,
        project: Project,
        threads: Threads,
        report: ProcessReport,
        observer: ProcessObserver,
        create: Callable[..., AsyncGenerator[Planned, None]],
        deliver: Callable[..., Awaitable[RunReport]],
    ) -> None:
        self._project = project
        self._threads = threads
        self._report = report
        self._observer = observer
        self._create = create
        self._deliver = deliver
        self._held_up: SubmissionError | None = None
        self._requests = 0

    async def in_thread(self, call: Callable[[Event], T]) -> T:
        """Run a blocking call in the thread; it is given an event that is set when it is to end soon."""
        stop = Event()
        return await self._threads.run(partial(call, stop), stop=stop.set)

    async def _work(self, step: Step, call: Callable[[Step, Event], T]) -> T:
        """The same for a call that may take a while."""
        with step:
            self._observer.working(step)
            return await self.in_thread(partial(call, step))

    async def prepare(self, plan: Callable[..., Spool], fields: Sequence[str]) -> Fields | None:
        """Check and plan all that is to be sent; what of each request is to stand beside its answer."""
        spool = await self._work(Step(Work.CHECKING), lambda step, stop: plan(step=step, stop=stop))
        self._requests = spool.requests
        self._observer.prepared(spool)
        if not fields:
            return None
        return await self.in_thread(lambda stop: Fields(fields, next(self._project.asked(), None)))

    async def until_answered(self, retries: int, output: Output, fields: Fields | None) -> None:
        """Send and deliver, again if need be, and write the answers."""
        while True:
            await self._round()
            with Index(self._project.directory) as index:
                await self._work(Step(Work.READING), partial(self._project.read_results, index))
                if await self._again(index, retries):
                    continue
                joining = Step(Work.JOINING, total=self._requests)
                joined = await self._work(joining, partial(self._join, index, output, fields))
                self._tell(joined, index)
                return

    async def _round(self) -> None:
        """Create what is planned and not created, and deliver what is created and not delivered."""
        self._held_up = None
        results = self._project.results
        report = await self._deliver(
            self._undelivered(),
            FileSink(results),
            rejects=results.removesuffix(".jsonl") + ".rejects.jsonl",
            observer=self._observer,
        )
        now = {batch.batch_id: batch for batch in [*self._report.batches, *report.batches]}
        self._report.batches = list(now.values())
        if self._held_up is not None:
            raise self._held_up

    async def _undelivered(self) -> AsyncGenerator[str, None]:
        """The batches whose results are not there yet, as they are created."""
        try:
            async with aclosing(self._create(self._project.ledger)) as created:
                async for one in created:
                    if one.batch_id is not None and not self._project.delivered(one.batch_id):
                        yield one.batch_id
        except SubmissionError as error:  # what is created has to be paid for: it is waited for first
            self._held_up = error
            self._observer.held_up(error)

    async def _again(self, index: Index, retries: int) -> bool:
        """Plan another attempt, if there is something to send again and it may be."""
        attempts = await self.in_thread(lambda stop: self._project.attempts())
        if attempts > retries:
            return False
        choosing = Step(Work.CHOOSING, total=self._requests)
        again = await self._work(choosing, partial(self._project.plan_again, index))
        if again.slices:
            self._observer.sending_again(attempts + 1, again)
        return bool(again.slices)

    def _join(self, index: Index, output: Output, fields: Fields | None, step: Step, stop: Event) -> Joined:
        return join(step.through(self._project.asked()), index, output, fields=fields, check=ending(stop))

    def _tell(self, joined: Joined, index: Index) -> None:
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
