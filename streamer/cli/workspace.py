"""What `streamer list`, `show`, `cancel` and `delete` do with the batches of the workspace."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from streamer.api.client import Client
from streamer.api.errors import AuthenticationError, ConfigurationError, StreamerError
from streamer.api.types import PAGE_LIMIT, Batch
from streamer.cli.exits import Exit
from streamer.cli.options import make_client
from streamer.cli.output import by_type, escaped, json_line, moment, plural, say

COLUMNS = ("BATCH", "STATUS", "REQUESTS", "RESULTS", "CREATED (UTC)", "ENDED / EXPIRES")


async def list_(args: argparse.Namespace) -> int:
    """`streamer list`."""
    batches: list[Batch] = []
    async with make_client(args) as client:
        async for batch in client.list(limit=min(args.limit, PAGE_LIMIT)):
            batches.append(batch)
            if len(batches) == args.limit:
                break
    if args.json:
        for batch in batches:
            print(json_line(batch))
    else:
        print("\n".join(table(batches)))
    return Exit.COMPLETE


async def show(args: argparse.Namespace) -> int:
    """`streamer show`."""
    async with make_client(args) as client:

        async def show_one(batch_id: str) -> None:
            batch = await client.retrieve(batch_id)
            print(json_line(batch) if args.json else "\n".join(page(batch)))

        return await _each(args.ids, show_one)


async def cancel(args: argparse.Namespace) -> int:
    """`streamer cancel`."""
    async with make_client(args) as client:

        async def cancel_one(batch_id: str) -> None:
            print(_line(await client.cancel(batch_id)))

        return await _each(args.ids, cancel_one)


async def delete(args: argparse.Namespace) -> int:
    """`streamer delete`."""
    if not args.yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError("delete asks before it deletes, and nobody is there to answer; say --yes to delete")
    async with make_client(args) as client:
        found, code = await _find_ended(client, args.ids)
        if not found or not (args.yes or _confirmed(found)):
            return code or Exit.INCOMPLETE

        async def delete_one(batch_id: str) -> None:
            print(escaped((await client.delete(batch_id)).id), "deleted")

        return max(code, await _each([batch.id for batch in found], delete_one))


async def _find_ended(client: Client, ids: Sequence[str]) -> tuple[list[Batch], int]:
    """The batches that can be deleted; the others are told of."""
    found: list[Batch] = []

    async def find(batch_id: str) -> None:
        batch = await client.retrieve(batch_id)
        if not batch.ended:
            raise StreamerError(f"{_line(batch)}: only an ended batch can be deleted, `streamer cancel` it first")
        say(f"to delete: {_line(batch)}")
        found.append(batch)

    return found, await _each(ids, find)


def _confirmed(batches: Sequence[Batch]) -> bool:
    """Whether the person at the terminal wants it."""
    print(
        f"Delete {plural(len(batches), 'batch')} and the results, for good? [y/N] ", end="", file=sys.stderr, flush=True
    )
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


async def _each(ids: Sequence[str], do: Callable[[str], Awaitable[None]]) -> int:
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
        rows.append(
            (escaped(batch.id), status, f"{counts.total:,}", by_type(results) or "-", moment(batch.created_at), end)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


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
