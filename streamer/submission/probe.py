"""Some of the requests, sent at once as ordinary messages: params that are not valid show before a day is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from streamer.api.client import Client
from streamer.errors import ApiError, AuthenticationError, StreamerError, SubmissionError
from streamer.requests.problems import Problem
from streamer.requests.spool import read_spool
from streamer.submission.refusal import is_spend_limit
from streamer.tasks import together
from streamer.threads import Threads

SIMULTANEOUS = 4  # messages under way at once: each may take minutes
NOT_THE_PARAMS = (408, 409, 429)  # statuses below 500 that say nothing about the request


class Sample(NamedTuple):
    """A request to try."""

    number: int  # its line in the spool, from 1
    custom_id: str
    params: bytes


class _OfLine(msgspec.Struct):
    params: msgspec.Raw


async def probe(client: Client, spool: Path, requests: int, samples: int, *, threads: Threads) -> list[Problem]:
    """What the API refuses of some requests, in their order; none when it answers all of them.

    Args:
        client: sends the messages, each billed at the full price.
        spool: the requests.
        requests: how many it has.
        samples: how many of them to try, evenly spread; all when it has no more.
        threads: the thread that reads the spool.

    Raises:
        SubmissionError: the API does not answer some of them for a reason that is not theirs.
        AuthenticationError: the key is refused.
    """
    slots = asyncio.Semaphore(SIMULTANEOUS)
    chosen = await threads.run(lambda: list(_chosen(spool, spread(requests, samples))))

    async def ask(sample: Sample) -> Problem | StreamerError | None:
        async with slots:
            try:
                await client.message(sample.params)
            except ApiError as error:
                if isinstance(error, AuthenticationError) or not _of_params(error):
                    return error
                reason = f"the API refuses the request {sample.custom_id!r}: {error.detail or error}"
                return Problem(str(spool), sample.number, reason)
            except StreamerError as error:
                return error
        return None

    answers = await together("streamer probe", [ask(sample) for sample in chosen])
    problems = [answer for answer in answers if isinstance(answer, Problem)]
    errors = [answer for answer in answers if isinstance(answer, StreamerError)]
    if errors and not problems:
        if isinstance(errors[0], AuthenticationError):
            raise errors[0]
        raise SubmissionError(
            f"{len(errors):,} of {len(chosen):,} requests could not be tried, so nothing was submitted: {errors[0]}"
        ) from errors[0]
    return problems


def spread(requests: int, samples: int) -> Sequence[int]:
    """The numbers of evenly spread requests, from 1.

    >>> spread(10, 3), spread(2, 5)
    ([1, 4, 7], [1, 2])
    """
    samples = min(requests, samples)
    return [n * requests // samples + 1 for n in range(samples)]


def _chosen(spool: Path, numbers: Sequence[int]) -> Iterator[Sample]:
    wanted = frozenset(numbers)
    for number, (custom_id, line) in enumerate(read_spool(spool), start=1):
        if number in wanted:
            yield Sample(number, custom_id, bytes(msgspec.json.decode(line, type=_OfLine).params))
        if number == numbers[-1]:
            return


def _of_params(error: ApiError) -> bool:
    return 400 <= error.status < 500 and error.status not in NOT_THE_PARAMS and not is_spend_limit(error)
