"""Requests from files into batches, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from pathlib import Path
from random import Random
from threading import Event

from streamer.api.client import Client
from streamer.api.clock import Clock
from streamer.api.errors import ConfigurationError, SubmissionError
from streamer.project import Project, project_of
from streamer.requests import MAX_BYTES, MAX_REQUESTS, Fault, Spool
from streamer.requests.reading import RequestFile
from streamer.step import Step, Work
from streamer.submission.creating import create_batches
from streamer.submission.ledger import Planned, State
from streamer.submission.probe import probe as try_some
from streamer.submission.settling import STOP, OnUnknown
from streamer.threads import Threads


class SubmitObserver:
    """What `submit` tells while it works; override what you want to hear."""

    def working(self, step: Step) -> None:
        """Work begins that may take a while; `step` is live from now on."""

    def prepared(self, spool: Spool) -> None:
        """The request files are checked; nothing was sent in this run so far."""

    def probed(self, requests: int) -> None:
        """The API answered so many requests that were sent as ordinary messages, each billed at the full price."""

    def created(self, batch: Planned) -> None:
        """A batch is created, in this run or before; they come in their order."""


async def submit(
    client: Client,
    files: Sequence[RequestFile],
    *,
    project: str | Path | None = None,
    id_prefix: str | None = None,
    template: str | Path | None = None,
    probe: int = 0,
    on_unknown: OnUnknown = STOP,
    warm_cache: bool = False,
    max_requests: int = MAX_REQUESTS,
    max_bytes: int = MAX_BYTES,
    on_fault: Callable[[Fault], None] = lambda fault: None,
    observer: SubmitObserver | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> list[str]:
    """Check request files, split them, and create as many batches as it takes, each exactly once.

    Nothing is sent before all requests are checked. Interrupted anywhere, the same call goes on; when all batches are
    created it sends nothing and returns their ids again. `streamer.process` with the same project takes it from there.

    Args:
        client: talks to the API.
        files: the requests, in any form: see `streamer.requests.prepare`.
        project: the directory of the submission; by default the first file's name and `.streamer`.
        id_prefix: what custom_ids that have to be made begin with.
        template: params for CSV.
        probe: so many requests are sent first as ordinary messages, at the full price and unless a batch was sent
            already; if the API refuses one of them, nothing else is sent.
        on_unknown: what to do where it cannot be told whether a batch was created: see `create_batches`.
        warm_cache: send the first request alone, and the others when it has ended, so that they find the cache warm.
        max_requests: how many requests a batch may have.
        max_bytes: how long the body of a batch may be.
        on_fault: told of everything that is wrong with the files, and of what the API refuses of the probe.
        observer: is told what happens while it happens.
        clock: where time comes from.
        random: where jitter comes from.

    Returns:
        The ids of the batches, in the order of the requests.

    Raises:
        FaultsError: something is wrong with the files; nothing was sent.
        ConfigurationError: an argument that cannot work; nothing was sent.
        SinkError: the requests cannot be copied; nothing was sent.
        SubmissionError: not all batches could be created; it says how many are, and what to do.
        AuthenticationError: the key is refused.

    Example:
        >>> async def main() -> None:
        ...     async with Client() as client:
        ...         batch_ids = await submit(client, ["requests.jsonl"])
        ...         print(await streamer.run(client, batch_ids, streamer.FileSink("results/{batch_id}.jsonl")))
    """
    if isinstance(files, str | Path):
        raise ConfigurationError(f"files is a list of request files, not one; write [{str(files)!r}]")
    observer = observer or SubmitObserver()
    place = Project(project_of(files, project), max_requests=max_requests, max_bytes=max_bytes)
    async with AsyncExitStack() as stack:
        threads = Threads("streamer-submit", 1)
        stack.callback(threads.close)
        stack.callback(place.close)
        stop = Event()
        plan = partial(
            place.plan,
            files,
            (),
            on_fault=on_fault,
            id_prefix=id_prefix,
            template=template,
            stop=stop,
            warm_cache=warm_cache,
        )
        with Step(Work.CHECKING) as step:
            observer.working(step)
            spool = await threads.run(partial(plan, step=step), stop=stop.set)
        observer.prepared(spool)
        planned = await threads.run(partial(place.ledger.batches, 1))
        if probe and all(one.state is State.PLANNED for one in planned):
            await _probe(client, spool, probe, threads, on_fault)
            observer.probed(min(probe, spool.requests))
        creating = create_batches(
            client,
            place.ledger,
            attempt=1,
            on_unknown=on_unknown,
            warm_cache=warm_cache,
            working=observer.working,
            clock=clock,
            random=random,
        )
        ids = []
        async with aclosing(creating) as batches:
            async for batch in batches:
                observer.created(batch)
                ids.append(batch.batch_id or "")
    return ids


async def _probe(
    client: Client, spool: Spool, samples: int, threads: Threads, on_fault: Callable[[Fault], None]
) -> None:
    faults = await try_some(client, spool.path, spool.requests, samples, threads=threads)
    for fault in faults:
        on_fault(fault)
    if faults:
        tried = min(samples, spool.requests)
        raise SubmissionError(
            f"the API refuses {len(faults):,} of the {tried:,} requests that were tried, so nothing was submitted; "
            "put them right and run the same again"
        )
