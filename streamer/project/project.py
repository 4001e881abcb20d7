"""A project: the directory of one submission, with all that is needed to go on with it after anything.

    ledger.sqlite              which batches were planned, and created; what their results are; where all of it began
    requests.jsonl             every request as it is sent, in order; fields.jsonl: the CSV records they were made of
    part-1.jsonl, ...          once requests came to the project later: those of the beginning, and those that came
    retry-2.jsonl, ...         the requests that were sent again
    results/{batch_id}.jsonl   the results

Plain blocking calls, made in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from threading import Event
from typing import TypeVar

from streamer.answers.asked import Asked, asked_in_spool
from streamer.answers.index import Index
from streamer.answers.output import STDOUT, output_digest
from streamer.answers.resubmission import Resubmission, write_retry
from streamer.clock import Clock, SystemClock
from streamer.disk.names import check_name
from streamer.errors import ConfigurationError, StreamerError
from streamer.progress import Progress
from streamer.project.elsewhere import INPUT, input_digests, sent_elsewhere
from streamer.project.extension import (
    PART,
    REMOVED,
    TEMPLATE,
    extend,
    removed_ids,
    template_digest,
)
from streamer.project.options import SubmitOptions
from streamer.project.resultfiles import RESULTS, ReadBack, ResultFiles
from streamer.report import RunReport
from streamer.requests.changes import Changes
from streamer.requests.given import GivenRequests
from streamer.requests.prepare import FIELDS, prepare
from streamer.requests.reading import RequestFile
from streamer.requests.spool import NewSpool, Spool, read_spool
from streamer.submission.ledger import ASKED, NAME, Ledger, State
from streamer.submission.warming import first_alone

REQUESTS = "requests.jsonl"
RETRY = "retry-"
OUTPUT = "output"  # what the ledger keeps: digests of the files of answers that were written


T = TypeVar("T")


def project_of(
    files: Sequence[RequestFile | GivenRequests], directory: str | Path | None, to: str | None = None
) -> Path:
    """Where the project of some request files is.

    >>> str(project_of(["data/requests.jsonl"], None))
    'data/requests.jsonl.streamer'

    Raises:
        ConfigurationError: the first one has no name to call the project by, and none was given.
    """
    if directory is not None:
        return Path(directory)
    first = next(iter(files), None)
    if isinstance(first, GivenRequests):
        if to is None or to == STDOUT:
            raise ConfigurationError(
                "requests that the program has itself have no file's name to call their project by, in which is kept "
                "what was sent; name a directory for it, in options: project='DIR'"
            )
        first = to
    if not isinstance(first, str | Path):
        raise ConfigurationError(
            "what comes from stdin has no name to call its project by; name a directory for it (--project DIR)"
        )
    path = Path(first)
    if not path.name:
        raise ConfigurationError(f"{str(first)!r} is a directory; name the files of requests in it")
    return path.with_name(path.name + ".streamer")


def ending(stop: Event) -> Callable[[], None]:
    """A call that raises once `stop` is set, for work in a thread that nobody waits for any more."""

    def check() -> None:
        if stop.is_set():
            raise StreamerError("this was stopped; run the same again to go on")

    return check


def until(stop: Event, things: Iterable[T]) -> Iterator[T]:
    """The same things, as long as `stop` is not set.

    Raises:
        StreamerError: `stop` was set, so the work is not done.
    """
    check = ending(stop)
    for thing in things:
        check()
        yield thing


class Project:
    """The directory of one submission.

    Args:
        directory: the project's; made when it is not there.
        options: how its requests become batches.
        clock: where time comes from.
        ledger: a copy of its ledger, for somebody who only looks.

    Attributes:
        ledger: which batches were planned and created.
        results: what came of them.
        changes: how the requests of now stand to those that were sent, when they are others.

    Raises:
        ConfigurationError: no directory can be called so.
    """

    def __init__(
        self,
        directory: Path,
        options: SubmitOptions | None = None,
        clock: Clock | None = None,
        *,
        ledger: Ledger | None = None,
    ) -> None:
        check_name(directory / REQUESTS)
        self.directory = directory
        self._clock = clock or SystemClock()
        self._options = options or SubmitOptions()
        self.ledger = ledger or Ledger(directory)
        self.results = ResultFiles(self.ledger, directory)
        self.changes: Changes | None = None

    def __repr__(self) -> str:
        return f"<Project {self.directory}>"

    def close(self) -> None:
        """Let go of the ledger, so that another process can go on."""
        self.ledger.close()

    def plan(
        self,
        files: Sequence[RequestFile],
        batch_ids: Sequence[str],
        *,
        stop: Event,
        progress: Progress,
    ) -> Spool:
        """Check the request files, and plan batches of those that are not sent yet.

        Args:
            files: the request files.
            batch_ids: batches that were made of them elsewhere; then none are planned.
            stop: set to have this give up soon.
            progress: is told how far this has come.

        Raises:
            InvalidRequestsError: something is wrong with the files.
            ConfigurationError: requests that were sent have changed, or were sent from another project; or this one
                has other batches.
            SubmissionError: another process works in it.
        """
        self._check_ledger()
        sent = self._sent()
        check = ending(stop)

        def accept(spool: NewSpool) -> None:
            if not sent:
                self._refuse_sent_elsewhere(files, spool.digest, adopting=bool(batch_ids))
            elif self.ledger.facts(ASKED) != [spool.digest]:
                self.changes = extend(self.ledger, spool, self._options, check)

        try:
            spool = prepare(
                files, self.directory / REQUESTS, self._options, accept=accept, stop=stop, progress=progress
            )
        except BaseException:
            if not self._own_files():
                self.ledger.remove()
            raise
        if not sent:
            slices = [] if batch_ids else spool.slices
            if self._options.warm_cache and slices:
                _, first_line = next(read_spool(spool.path))
                slices = first_alone(slices, len(first_line) + 1)
            self.ledger.plan(1, REQUESTS, spool.digest, slices, at=self._clock.now().timestamp())
        if not sent or self.changes is not None:
            self._note_inputs(files)
        if batch_ids:
            self._adopt(batch_ids)
        return spool

    @property
    def template(self) -> str:
        """Where results go, as a file sink takes it."""
        return str(self.directory).replace("{", "{{").replace("}", "}}") + f"/{RESULTS}/{{batch_id}}.jsonl"

    def refuse_target(self, target: str) -> None:
        """See that the answers take the place of nothing that the project keeps.

        Raises:
            ConfigurationError: the target is a file or a folder of the project.
        """
        place, own = Path(target).resolve(), self.directory.resolve()
        kept = place.parent == own and place.name.startswith((NAME, REQUESTS, FIELDS, RETRY, PART, REMOVED))
        if kept or place == own or own / RESULTS in place.parents:
            raise ConfigurationError(
                f"the answers cannot go to {target}, which the project {self.directory} keeps for itself; name another "
                "file"
            )

    def refuse_foreign(self, target: str) -> None:
        """See that the answers take the place of no file that this project has not written.

        Raises:
            ConfigurationError: a file is there that this project did not write.
            StorageError: what is there cannot be read.
        """
        there = output_digest(target)
        if there is not None and there not in self.ledger.facts(OUTPUT):
            raise ConfigurationError(
                f"{target} is there already and is not what the project {self.directory} has written, so it is not "
                "replaced; move it away, or name another file for the answers"
            )

    def note_output(self, digest: str) -> None:
        """The answers are about to be there, and this is what tells them from other files."""
        self.ledger.add_facts(OUTPUT, [digest])

    def attempts(self) -> int:
        """How often the requests were sent, or are planned to be, since the last of them came to the project."""
        spools = self.ledger.spools()
        return 1 + sum(1 for _ in takewhile(lambda one: one.retry, reversed(spools)))

    def asked(self) -> Iterator[Asked]:
        """The requests, in order."""
        fields = self.directory / FIELDS
        return asked_in_spool(self.directory / REQUESTS, fields if fields.exists() else None)

    def read_results(self, index: Index, run: RunReport, progress: Progress, stop: Event) -> list[ReadBack]:
        """Have all results that came so far in the index, those of batches that are not complete, too.

        Args:
            index: takes them in.
            run: what was delivered just now.
            progress: is told how far this has come.
            stop: set to have this give up soon.

        Returns:
            The batches whose file is not what it should be by its name; then the index is of no use.
        """
        check = ending(stop)
        outcomes = {batch.batch_id: batch.outcome for batch in run.batches}
        there = self.results.there(sorted(self.ledger.batches(), key=lambda one: (one.attempt, one.number)))
        progress.total = sum(path.stat().st_size for _, path in there)
        odd = []
        at = 1
        for one, path in there:
            if one.attempt != at:
                at = one.attempt
                if not one.retry:  # what came before answers none of these, changed ones among them
                    index.forget(custom_id for custom_id, _ in read_spool(self.directory / one.spool))
            outcome = outcomes.get(one.batch_id or "")
            found = self.results.read(one, path, index, outcome=outcome, check=check, progress=progress)
            if found.wrong or found.whole:
                odd.append(found)
        if not odd:
            index.settle()
        return odd

    def removed_answers(self, index: Index) -> int:
        """How many answers there are to requests that were sent and are not asked for any more."""
        [asked] = self.ledger.facts(ASKED)
        return sum(index.get(custom_id) is not None for custom_id in removed_ids(self.directory, asked))

    def plan_again(self, index: Index, progress: Progress, stop: Event) -> Resubmission:
        """Plan the batches of the next attempt: of all that can be sent again; none when there is nothing."""
        attempt = max(one.attempt for one in self.ledger.spools()) + 1
        spool = f"{RETRY}{attempt}.jsonl"
        again = write_retry(
            progress.through(until(stop, self.asked())),
            index,
            self.directory / spool,
            max_requests=self._options.max_requests,
            max_bytes=self._options.max_bytes,
        )
        if again.slices:
            self.ledger.plan(attempt, spool, again.digest, again.slices, retry=True)
        return again

    def _own_files(self) -> list[str]:
        """The names of the files with requests that are there already."""
        return [name for name in (REQUESTS, FIELDS) if (self.directory / name).exists()]

    def _check_ledger(self) -> None:
        """See that files of a project are not there without its ledger, which is made before them.

        Raises:
            ConfigurationError: request files are there and no ledger.
        """
        there = self._own_files()
        if there and not self.ledger.path.exists():
            raise ConfigurationError(
                f"{self.directory} has a file {there[0]} and no {self.ledger.path.name}: if it is a project its ledger "
                "is lost, and with it what was sent already (look with `streamer list`); if it is none its files "
                "would be overwritten; name another project directory"
            )

    def _sent(self) -> bool:
        """Whether anything was sent, or may have been; from now on no other process plans."""
        return any(one.state is not State.PLANNED or one.window_at is not None for one in self.ledger.batches())

    def _refuse_sent_elsewhere(self, files: Sequence[RequestFile], digest: str, *, adopting: bool) -> None:
        """See that no other project has sent these requests, unless somebody named this one for them.

        Raises:
            ConfigurationError: another project has sent the same requests.
        """
        if adopting or self._options.project is not None:
            return
        inputs = input_digests(files, self._options.template)
        other = sent_elsewhere(self.directory, files, inputs, digest)
        if other is not None:
            raise ConfigurationError(
                f"requests of these files were sent already, from the project {other}; nothing is sent. To go on there "
                f"and pay for what is new alone, say --project {other}; to pay for all of them once more, name another "
                "project (--project DIR)"
            )

    def _note_inputs(self, files: Sequence[RequestFile]) -> None:
        """What these requests came from is known from now on."""
        self.ledger.add_facts(INPUT, input_digests(files, self._options.template))
        if self._options.template is not None:
            self.ledger.set_fact(TEMPLATE, template_digest(self._options.template))

    def _adopt(self, batch_ids: Sequence[str]) -> None:
        if any(one.state is not State.CREATED for one in self.ledger.batches()):
            raise ConfigurationError(
                f"the project {self.directory} has batches of its own to create: `streamer process` goes on with it; "
                "for batches that were made elsewhere name another project"
            )
        self.ledger.adopt(1, batch_ids)
