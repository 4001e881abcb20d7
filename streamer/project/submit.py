"""Requests from files into batches, in one call."""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing
from random import Random
from threading import Event

from streamer.api.client import Client
from streamer.arguments import check_client, check_kind, check_observer
from streamer.clock import Clock
from streamer.errors import SubmissionError
from streamer.observer import SubmitObserver
from streamer.progress import Progress, Work
from streamer.project.options import SubmitOptions
from streamer.project.project import Project, project_of
from streamer.requests.given import GivenFiles, reading, request_files
from streamer.requests.spool import Spool
from streamer.submission.creating import create_batches
from streamer.submission.ledger import State
from streamer.submission.probe import probe
from streamer.threads import Threads


async def submit(
    client: Client,
    files: GivenFiles,
    options: SubmitOptions | None = None,
    *,
    observer: SubmitObserver | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> list[str]:
    """Check request files, split them, and create as many batches as it takes, each exactly once.

    Nothing is sent before all requests are checked. Interrupted anywhere, the same call goes on; when all batches are
    created it sends nothing and returns their ids again. `streamer.process` with the same project takes it from there.

    Args:
        client: talks to the API.
        files: the requests: files of any form (see `streamer.requests.prepare`), or what the program has itself, as an
            iterable, also an asynchronous one, of mappings or pydantic models with `custom_id` and `params`. Those are
            not kept in memory; the same ones have to be given again to go on, with the same `project`.
        options: how they become batches.
        observer: is told what happens while it happens.
        clock: where time comes from.
        random: where jitter comes from.

    Returns:
        The ids of the batches, in the order of the requests.

    Raises:
        InvalidRequestsError: something is wrong with the files; nothing was sent.
        ConfigurationError: an argument that cannot work; nothing was sent.
        StorageError: the requests cannot be copied; nothing was sent.
        SubmissionError: not all batches could be created; it says how many are, and what to do.
        AuthenticationError: the key is refused.

    Example:
        >>> async def main() -> None:
        ...     async with Client() as client:
        ...         batch_ids = await submit(client, ["requests.jsonl"])
        ...         print(await streamer.run(client, batch_ids, streamer.FileSink("results/{batch_id}.jsonl")))
    """
    check_client(client, Client)
    options, observer = options or SubmitOptions(), observer or SubmitObserver()
    check_kind("options", options, SubmitOptions)
    check_observer(observer, SubmitObserver)
    given = request_files(files)
    async with AsyncExitStack() as stack:
        threads = Threads("streamer-submit", 1)
        stack.callback(threads.close)
        project = Project(project_of(given, options.project), options, clock)
        stack.callback(project.close)
        stop = Event()
        with Progress(Work.CHECKING) as progress:
            observer.working(progress)
            async with reading(given) as ready:
                spool = await threads.run(lambda: project.plan(ready, (), stop=stop, progress=progress), stop=stop.set)
        observer.prepared(spool)
        if project.changes is not None:
            observer.changed(project.changes)
        planned = await threads.run(project.ledger.batches)
        if options.probe and all(one.state is State.PLANNED for one in planned):
            await _probe(client, spool, options, threads)
            observer.probed(min(options.probe, spool.requests))
        creating = create_batches(
            client,
            project.ledger,
            options,
            retries=False,
            working=observer.working,
            clock=clock,
            random=random,
        )
        ids = []
        async with aclosing(creating) as batches:
            async for batch in batches:
                observer.created(batch.batch_id or "")
                ids.append(batch.batch_id or "")
    return ids


async def _probe(client: Client, spool: Spool, options: SubmitOptions, threads: Threads) -> None:
    problems = await probe(client, spool.path, spool.requests, options.probe, threads=threads)
    for problem in problems:
        options.on_problem(problem)
    if problems:
        tried = min(options.probe, spool.requests)
        raise SubmissionError(
            f"the API refuses {len(problems):,} of the {tried:,} requests that were tried, so nothing was submitted; "
            "put them right and run the same again"
        )
