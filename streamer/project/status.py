"""Where a project stands, for somebody who looks: nothing is changed, and nobody who works in it is held up."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from threading import Event

import msgspec

from streamer.answers.index import Index
from streamer.answers.sentagain import MISSING, retryable
from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.errors import AuthenticationError, ConfigurationError, StreamerError
from streamer.progress import Progress, Work
from streamer.project.project import REQUESTS, Project, ending
from streamer.report import RunReport
from streamer.results.accounting import Tokens
from streamer.submission.ledger import Planned, State
from streamer.submission.ledgercopy import copied_ledger, in_use
from streamer.submission.sameworkspace import ADDRESS
from streamer.threads import Threads

NAMED = 100  # custom_ids that are named; the others are counted
SIMULTANEOUS = 8  # questions to the API under way at once


class BatchStatus(msgspec.Struct, kw_only=True):
    """Where one batch of a project stands."""

    number: int  # in the project, from 1
    attempt: int  # 1 for the first submission, 2 and up for what came to it later or was sent again
    retry: bool  # its requests were sent before
    requests: int | None  # None for a batch that was made elsewhere
    state: State  # planned; intended, when nobody knows yet whether it was created; created
    batch_id: str | None = None
    delivered: bool = False  # all its results are in the project
    wrong: str = ""  # why its results are not what was delivered; empty when they are
    api: Batch | None = None  # what the API says; None when it was not asked
    error: str = ""  # why the API did not say


class ProjectStatus(msgspec.Struct, kw_only=True):
    """Where a project stands."""

    project: str  # the directory
    in_use: bool  # another process works in it, so this is of a moment ago
    address: str | None  # where the API is that its batches were created at
    batches: list[BatchStatus]
    requests: int = 0
    answers: dict[str, int] = {}  # by type of result, each request once
    errors: dict[str, int] = {}  # errored answers by the API's error type
    missing: int = 0  # requests that have no answer yet
    missing_ids: list[str] = []  # the first 100 of those
    retryable: int = 0  # requests that failed, and might not if they were sent once more
    attempts: int = 1  # how often they were sent since the last of them came to the project
    usage: dict[str, Tokens] = {}  # tokens by model, of all records of all attempts
    next: list[str] = []  # what the next run would do, a sentence each


async def status(project: str | Path, client: Client | None = None) -> ProjectStatus:
    """Look where a project stands.

    Args:
        project: its directory.
        client: asks the API about the batches that are not delivered; without one nothing is asked.

    Raises:
        ConfigurationError: it is no project, or the client speaks to another address than its batches are at.
        StorageError, SubmissionError: something of it cannot be read.
        AuthenticationError: the key is refused.

    Example:
        >>> async def main() -> None:
        ...     print((await status("requests.jsonl.streamer")).next)
    """
    stop = Event()
    threads = Threads("streamer-status", 1)
    try:
        found = await threads.run(lambda: _look(Path(project), stop), stop=stop.set)
    finally:
        threads.close()
    if client is not None:
        if found.address not in (None, client.address):
            raise ConfigurationError(
                f"the batches of {project} were created at {found.address}, and this is {client.address}: ask there "
                f"(--base-url {found.address})"
            )
        await _ask(client, [one for one in found.batches if one.batch_id is not None and not one.delivered])
    return found


def _look(directory: Path, stop: Event) -> ProjectStatus:
    """All that can be known without the API."""
    with copied_ledger(directory) as ledger, tempfile.TemporaryDirectory(prefix="streamer-status-") as scratch:
        project = Project(directory, ledger=ledger)
        batches = ledger.batches()
        found = ProjectStatus(
            project=str(directory),
            in_use=in_use(directory),
            address=next(iter(ledger.facts(ADDRESS)), None),
            batches=[_status_of(one, project) for one in batches],
            attempts=project.attempts(),
        )
        with Index(Path(scratch)) as index:
            odd = project.read_results(index, RunReport(), Progress(Work.READING), stop)
            wrong = {one.batch.number: one.wrong for one in odd}
            for one in found.batches:
                one.wrong = wrong.get(one.number, "")
                one.delivered = one.delivered and not one.wrong
            _count_answers(found, project, index, stop)
    found.next = _next_run(found)
    return found


def _status_of(one: Planned, project: Project) -> BatchStatus:
    return BatchStatus(
        number=one.number,
        attempt=one.attempt,
        retry=one.retry,
        requests=one.slice.requests or None,
        state=one.state,
        batch_id=one.batch_id,
        delivered=one.batch_id is not None and project.results.delivered(one.batch_id),
    )


def _count_answers(found: ProjectStatus, project: Project, index: Index, stop: Event) -> None:
    """What became of each request so far."""
    check = ending(stop)
    index.settle()
    types: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for asked in project.asked() if (project.directory / REQUESTS).exists() else ():
        check()
        found.requests += 1
        answer = index.get(asked.custom_id)
        words[MISSING if answer is None else answer.word] += 1
        if answer is not None:
            types[answer.type] += 1
        elif len(found.missing_ids) < NAMED:
            found.missing_ids.append(asked.custom_id)
    found.answers = dict(types)
    found.errors = {word: n for word, n in words.items() if word not in types and word != MISSING}
    found.missing = words[MISSING]
    found.retryable = sum(n for word, n in words.items() if retryable(word))
    found.usage = index.usage


async def _ask(client: Client, batches: list[BatchStatus]) -> None:
    """What the API says of some batches."""
    slots = asyncio.Semaphore(SIMULTANEOUS)

    async def ask(one: BatchStatus) -> None:
        async with slots:
            try:
                one.api = (await client.poll_batch(one.batch_id or "")).value
            except AuthenticationError as error:
                refused.append(error)
            except StreamerError as error:
                one.error = str(error)

    refused: list[AuthenticationError] = []
    async with asyncio.TaskGroup() as group:
        for one in batches:
            group.create_task(ask(one), name=f"streamer status {one.batch_id}")
    if refused:
        raise refused[0]


def _next_run(found: ProjectStatus) -> list[str]:
    """What the next run of the same command would do, in its order."""
    planned = [one for one in found.batches if one.state is State.PLANNED]
    intended = [one for one in found.batches if one.state is State.INTENDED]
    damaged = sum(1 for one in found.batches if one.wrong)
    waiting = sum(1 for one in found.batches if one.state is State.CREATED and not one.delivered) - damaged
    steps = [f"look whether batch {one.number} was created, and create it if not" for one in intended]
    if planned:
        requests = sum(one.requests or 0 for one in planned)
        steps.append(
            f"create {_number(len(planned), 'batch', 'batches')} of {_number(requests, 'request', 'requests')}"
        )
    if waiting:
        steps.append(f"wait for {_number(waiting, 'batch', 'batches')}, and fetch the results")
    if damaged:
        steps.append(f"fetch the results of {_number(damaged, 'batch', 'batches')} again, which are not what came")
    if found.retryable:
        again = _number(found.retryable, "request", "requests")
        steps.append(f"send {again} again that failed, with --retry {found.attempts} or more")
    if not steps and found.missing:
        steps.append(f"send nothing: the answers of {_number(found.missing, 'request', 'requests')} are lost")
    return steps or ["write the answers and send nothing: every request has one"]


def _number(n: int, one: str, more: str) -> str:
    return f"{n:,} {one if n == 1 else more}"
