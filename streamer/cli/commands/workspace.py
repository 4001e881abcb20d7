"""What `streamer list`, `show`, `cancel` and `delete` do with the batches of the workspace."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from streamer.api.client import Client
from streamer.api.types import PAGE_LIMIT, Batch
from streamer.cli.exits import Exit
from streamer.cli.options import make_client
from streamer.cli.show.text import by_type, escaped, json_line, moment, plural, say
from streamer.clock import SystemClock
from streamer.errors import AuthenticationError, ConfigurationError, StreamerError

COLUMNS = ("BATCH", "STATUS", "REQUESTS", "RESULTS", "CREATED (UTC)", "ENDED / EXPIRES", "RESULTS UNTIL")
KEPT = timedelta(days=29)  # from the creation of a batch; then the API removes its results
NEWEST = 20  # batches that are listed when nobody says which
MOST_NAMED = 20  # batches that a question names one by one


async def list_(args: argparse.Namespace) -> int:
    """`streamer list`."""
    chosen = args.status is not None or args.expiring is not None
    limit = args.limit or (None if chosen else NEWEST)
    wanted = partial(_wanted, status=args.status, until=_until(args.expiring, SystemClock().now()))
    batches: list[Batch] = []
    async with make_client(args) as client:
        # What is about to expire is at the end of the list, so all of it is read.
        most = PAGE_LIMIT if limit is None or chosen else min(limit, PAGE_LIMIT)
        async for batch in client.list(limit=most):
            if wanted(batch):
                batches.append(batch)
            if len(batches) == limit and args.expiring is None:
                break
    if args.expiring is not None:
        batches = sorted(batches, key=removal)[:limit]
    if args.json:
        for batch in batches:
            print(json_line(batch))
    else:
        print("\n".join(table(batches)))
    return Exit.COMPLETE


def _until(days: float | None, now: datetime) -> datetime | None:
    """The moment that lies so many days ahead; None when nobody asks for one."""
    try:
        return None if days is None else now + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _wanted(batch: Batch, *, status: str | None, until: datetime | None) -> bool:
    """Whether a batch has the status asked for, and results that are removed before then."""
    if status is not None and batch.processing_status != status:
        return False
    return until is None or (batch.ended and batch.archived_at is None and removal(batch) <= until)


def removal(batch: Batch) -> datetime:
    """When the results of a batch are removed; the end of time where its creation is not known."""
    return datetime.max.replace(tzinfo=UTC) if batch.created_at is None else batch.created_at + KEPT


async def show(args: argparse.Namespace) -> int:
    """`streamer show`."""
    async with make_client(args) as client:

        async def show_one(batch_id: str) -> None:
            batch = await client.retrieve(batch_id)
            print(json_line(batch) if args.json else "\n".join(page(batch)))

        return await each(args.ids, show_one)


async def cancel(args: argparse.Namespace) -> int:
    """`streamer cancel`."""
    _check_answerable(args)
    async with make_client(args) as client:

        def check(batch: Batch) -> None:
            if batch.ended:
                raise StreamerError(f"{_line(batch)}: it has ended, so there is nothing to cancel")

        found, code = await _find(client, args.ids, check)
        question = f"Cancel {_how_many(found)}? What is done by then is kept."
        if not found or not (args.yes or _confirmed(found, question)):
            return code or Exit.INCOMPLETE

        async def cancel_one(batch_id: str) -> None:
            print(_line(await client.cancel(batch_id)))

        return max(code, await each([batch.id for batch in found], cancel_one))


async def delete(args: argparse.Namespace) -> int:
    """`streamer delete`."""
    _check_answerable(args)
    async with make_client(args) as client:

        def check(batch: Batch) -> None:
            if not batch.ended:
                raise StreamerError(f"{_line(batch)}: only an ended batch can be deleted, `streamer cancel` it first")

        found, code = await _find(client, args.ids, check)
        question = f"Delete {_how_many(found)}? The results are gone from the API then, for good."
        if not found or not (args.yes or _confirmed(found, question)):
            return code or Exit.INCOMPLETE

        async def delete_one(batch_id: str) -> None:
            print(escaped((await client.delete(batch_id)).id), "deleted")

        return max(code, await each([batch.id for batch in found], delete_one))


def _check_answerable(args: argparse.Namespace) -> None:
    """Refuse to go on where a question would be asked and nobody is there to answer.

    Raises:
        ConfigurationError: so it is.
    """
    if not args.yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(
            f"{args.command} asks before it does anything, and nobody is there to answer; say --yes to go ahead"
        )


async def _find(client: Client, ids: Sequence[str], check: Callable[[Batch], None]) -> tuple[list[Batch], int]:
    """The batches, as they are now, for which it can be done; why `check` refuses the others is told."""
    found: list[Batch] = []

    async def find(batch_id: str) -> None:
        batch = await client.retrieve(batch_id)
        check(batch)
        found.append(batch)

    return found, await each(ids, find)


def _how_many(batches: Sequence[Batch]) -> str:
    requests = sum(batch.request_counts.total for batch in batches)
    return f"{plural(len(batches), 'batch')} with {plural(requests, 'request')}"


def _confirmed(batches: Sequence[Batch], question: str) -> bool:
    """Whether the person at the terminal wants it done to the batches, which are named first."""
    for batch in batches[:MOST_NAMED]:
        say(_line(batch))
    if len(batches) > MOST_NAMED:
        say(f"and {len(batches) - MOST_NAMED:,} more")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


async def each(ids: Iterable[str], do: Callable[[str], Awaitable[None]]) -> int:
    """Do something with each batch; what fails for one is told of and stops no other, but for what fails for all."""
    code = Exit.COMPLETE
    for batch_id in dict.fromkeys(ids):
        try:
            await do(batch_id)
        except AuthenticationError:
            raise
        except ConfigurationError as error:
            say(str(error))
            code = Exit.USAGE
        except StreamerError as error:
            say(str(error))
            code = code or Exit.INCOMPLETE
    return code


def _line(batch: Batch) -> str:
    return f"{escaped(batch.id)} {escaped(batch.processing_status)}, {_requests(batch)}"


def _requests(batch: Batch) -> str:
    counts = by_type({name: getattr(batch.request_counts, name) for name in batch.request_counts.__struct_fields__})
    return f"{plural(batch.request_counts.total, 'request')}{f' ({counts})' if counts else ''}"


def table(batches: Sequence[Batch]) -> list[str]:
    """Batches as lines of aligned columns under a header."""
    rows = [COLUMNS]
    for batch in batches:
        counts, ended = batch.request_counts, batch.ended
        results = {name: getattr(counts, name) for name in counts.__struct_fields__ if name != "processing"}
        status = "archived" if batch.archived_at is not None else escaped(batch.processing_status)
        end = moment(batch.ended_at) if ended else f"expires {moment(batch.expires_at)}"
        done, created = by_type(results) or "-", moment(batch.created_at)
        rows.append((escaped(batch.id), status, f"{counts.total:,}", done, created, end, _results_until(batch)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _results_until(batch: Batch) -> str:
    if batch.archived_at is not None:
        return "removed"
    return moment(removal(batch)) if batch.ended and batch.created_at is not None else "-"


def page(batch: Batch) -> list[str]:
    """All about one batch, a line for each fact."""
    facts = {
        "id": batch.id,
        "status": batch.processing_status,
        "requests": _requests(batch),
        "created": moment(batch.created_at),
        "expires": moment(batch.expires_at),
        "ended": moment(batch.ended_at),
        "cancel asked for": moment(batch.cancel_initiated_at),
        "archived": moment(batch.archived_at),
        "results until": _results_until(batch),
        "results": batch.results_url or "-",
    }
    return [f"{name + ':':<18}{escaped(fact)}" for name, fact in facts.items()]


#: What each command does, by its name.
COMMANDS: dict[str, Callable[[argparse.Namespace], Coroutine[Any, Any, int]]] = {
    "list": list_,
    "show": show,
    "cancel": cancel,
    "delete": delete,
}
