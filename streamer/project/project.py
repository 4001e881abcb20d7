"""A project: the directory of one submission, with all that is needed to go on with it after anything.

    ledger.sqlite              which batches were planned, and created
    requests.jsonl             every request as it was sent, in order; fields.jsonl: the CSV records they were made of
    retry-2.jsonl, ...         the requests that were sent again
    results/{batch_id}.jsonl   the results

Plain blocking calls, made in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

from streamer.answers.asked import Asked, asked_in_spool
from streamer.answers.index import Index
from streamer.answers.output import STDOUT
from streamer.answers.resubmission import Resubmission, write_retry
from streamer.clock import Clock, SystemClock
from streamer.disk.names import check_name
from streamer.errors import ConfigurationError, StreamerError
from streamer.progress import Progress
from streamer.project.options import SubmitOptions
from streamer.requests.given import GivenRequests
from streamer.requests.prepare import FIELDS, prepare
from streamer.requests.reading import RequestFile
from streamer.requests.spool import Spool, read_spool
from streamer.sinks.template import safe_name
from streamer.submission.ledger import NAME, Ledger, State
from streamer.submission.warming import first_alone

REQUESTS = "requests.jsonl"
RETRY = "retry-"
RESULTS = "results"


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


class Project:
    """The directory of one submission.

    Args:
        directory: the project's; made when it is not there.
        options: how its requests become batches.
        clock: where time comes from.

    Raises:
        ConfigurationError: no directory can be called so.
    """

    def __init__(self, directory: Path, options: SubmitOptions | None = None, clock: Clock | None = None) -> None:
        check_name(directory / REQUESTS)
        self.directory = directory
        self._clock = clock or SystemClock()
        self._options = options or SubmitOptions()
        self.ledger = Ledger(directory)
        self.results = str(directory).replace("{", "{{").replace("}", "}}") + f"/{RESULTS}/{{batch_id}}.jsonl"

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
        """Check the request files, and plan the batches of the first attempt, unless that was done before.

        Args:
            files: the request files.
            batch_ids: batches that were made of them elsewhere; then none are planned.
            stop: set to have this give up soon.
            progress: is told how far this has come.

        Raises:
            InvalidRequestsError: something is wrong with the files.
            ConfigurationError: they are not those that this project began with, or it has other batches.
            SubmissionError: another process works in it.
        """
        self._check_ledger()
        try:
            spool = prepare(
                files,
                self.directory / REQUESTS,
                self._options,
                digest=self._digest(),
                stop=stop,
                progress=progress,
            )
        except BaseException:
            if not self._own_files():
                self.ledger.remove()
            raise
        slices = [] if batch_ids else spool.slices
        if self._options.warm_cache and slices:
            _, first_line = next(read_spool(spool.path))
            slices = first_alone(slices, len(first_line) + 1)
        self.ledger.plan(1, REQUESTS, spool.digest, slices, at=self._clock.now().timestamp())
        if batch_ids:
            self._adopt(batch_ids)
        return spool

    def refuse_target(self, target: str) -> None:
        """See that the answers take the place of nothing that the project keeps.

        Raises:
            ConfigurationError: they would.
        """
        place, own = Path(target).resolve(), self.directory.resolve()
        kept = place.parent == own and place.name.startswith((NAME, REQUESTS, FIELDS, RETRY))
        if kept or place == own or own / RESULTS in place.parents:
            raise ConfigurationError(
                f"the answers cannot go to {target}, which the project {self.directory} keeps for itself; name another "
                "file"
            )

    def attempts(self) -> int:
        """How often something was sent, or is planned to be."""
        return len(self.ledger.spools())

    def delivered(self, batch_id: str) -> bool:
        """Whether all results of a batch are there: a file has its final name only then."""
        return self._file(batch_id).exists()

    def asked(self) -> Iterator[Asked]:
        """The requests, in order."""
        fields = self.directory / FIELDS
        return asked_in_spool(self.directory / REQUESTS, fields if fields.exists() else None)

    def read_results(self, index: Index, progress: Progress, stop: Event) -> None:
        """Have all results that came so far in the index, those of batches that are not complete, too."""
        check = ending(stop)
        there: list[tuple[Path, int, bool]] = []  # each file, with its attempt, and whether it still grows
        for one in self.ledger.batches():
            if one.batch_id is None:
                continue
            final = self._file(one.batch_id)
            growing = final.with_name(final.name + ".part")
            if final.exists():
                there.append((final, one.attempt, False))
            elif growing.exists():
                there.append((growing, one.attempt, True))
        progress.total = sum(path.stat().st_size for path, _, _ in there)
        for path, attempt, grows in there:
            index.add(path, attempt=attempt, growing=grows, check=check, progress=progress)
        index.settle()

    def plan_again(self, index: Index, progress: Progress, stop: Event) -> Resubmission:
        """Plan the batches of the next attempt: of all that can be sent again; none when there is nothing."""
        attempt = self.attempts() + 1
        spool = f"{RETRY}{attempt}.jsonl"
        again = write_retry(
            progress.through(self.asked()),
            index,
            self.directory / spool,
            max_requests=self._options.max_requests,
            max_bytes=self._options.max_bytes,
            check=ending(stop),
        )
        if again.slices:
            self.ledger.plan(attempt, spool, again.digest, again.slices)
        return again

    def _own_files(self) -> list[str]:
        """The names of the files with requests that are there already."""
        return [name for name in (REQUESTS, FIELDS) if (self.directory / name).exists()]

    def _check_ledger(self) -> None:
        """See that files of a project are not there without its ledger, which is made before them.

        Raises:
            ConfigurationError: they are.
        """
        there = self._own_files()
        if there and not self.ledger.path.exists():
            raise ConfigurationError(
                f"{self.directory} has a file {there[0]} and no {self.ledger.path.name}: if it is a project its ledger "
                "is lost, and with it what was sent already (look with `streamer list`); if it is none its files "
                "would be overwritten; name another project directory"
            )

    def _digest(self) -> str | None:
        """What the spool of requests has to be, when something of it was sent; from now on no other process plans."""
        sent = any(one.state is not State.PLANNED for one in self.ledger.batches(1))
        return self.ledger.spools()[0].digest if sent else None

    def _adopt(self, batch_ids: Sequence[str]) -> None:
        if any(one.state is not State.CREATED for one in self.ledger.batches()):
            raise ConfigurationError(
                f"the project {self.directory} has batches of its own to create: `streamer process` goes on with it; "
                "for batches that were made elsewhere name another project"
            )
        self.ledger.adopt(1, batch_ids)

    def _file(self, batch_id: str) -> Path:
        return self.directory / RESULTS / f"{safe_name(batch_id)}.jsonl"
