"""The same done to each batch that a command names; a person at a terminal is asked before what cannot be undone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.cli.exits import Exit
from streamer.cli.options import make_client
from streamer.cli.show.batches import batch_line
from streamer.cli.show.formatting import plural
from streamer.cli.show.repeated import Repeated
from streamer.cli.stdio import say
from streamer.errors import AuthenticationError, ConfigurationError, StreamerError

MOST_NAMED = 20  # batches that a question names one by one


async def for_each(ids: Iterable[str], do: Callable[[str], Awaitable[None]]) -> int:
    """Do something with each batch; what fails for one is said and stops no other, but for what fails for all.

    Returns:
        The exit code.

    Raises:
        AuthenticationError: the key is refused.
    """
    code, failures = Exit.COMPLETE, Repeated()
    for batch_id in dict.fromkeys(ids):
        try:
            await do(batch_id)
        except AuthenticationError:
            raise
        except ConfigurationError as error:
            failures.say(str(error), about=batch_id)
            code = Exit.USAGE
        except StreamerError as error:
            failures.say(str(error), about=batch_id)
            code = code or Exit.INCOMPLETE
    failures.say_rest()
    return code


@dataclass(frozen=True)
class BatchChange:
    """Something done to batches that cannot be undone.

    Attributes:
        question: what the person at the terminal is asked, with `{batches}` for how many.
        refusal: why it cannot be done to a batch; None when it can.
        make: does it to one batch, and gives the line that says so.
    """

    question: str
    refusal: Callable[[Batch], str | None]
    make: Callable[[Client, str], Awaitable[str]]


async def change_each(args: argparse.Namespace, change: BatchChange) -> int:
    """Look each batch up, ask the person at the terminal unless --yes was said, then do it.

    Returns:
        The exit code.

    Raises:
        ConfigurationError: a question would be asked, and nobody is there to answer.
        AuthenticationError: the key is refused.
    """
    if not args.yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            f"{args.command} asks before it does anything, and nobody is there to answer; say --yes to go ahead"
        )
    found: list[Batch] = []
    async with make_client(args) as client:

        async def look_up(batch_id: str) -> None:
            batch = await client.retrieve(batch_id)
            if (reason := change.refusal(batch)) is not None:
                raise StreamerError(f"{batch_line(batch)}: {reason}")
            found.append(batch)

        async def change_one(batch_id: str) -> None:
            print(await change.make(client, batch_id))

        code = await for_each(args.ids, look_up)
        if not found or not (args.yes or _confirmed(found, change.question)):
            return code or Exit.INCOMPLETE
        return max(code, await for_each([batch.id for batch in found], change_one))


def _confirmed(batches: Sequence[Batch], question: str) -> bool:
    """Whether the person at the terminal wants it done to the batches, which are named first."""
    for batch in batches[:MOST_NAMED]:
        say(batch_line(batch))
    if len(batches) > MOST_NAMED:
        say(f"and {len(batches) - MOST_NAMED:,} more")
    requests = sum(batch.requests or 0 for batch in batches)
    how_many = f"{plural(len(batches), 'batch')} with {plural(requests, 'request')}"
    print(f"{question.format(batches=how_many)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
