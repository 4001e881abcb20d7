"""`streamer list`: batches of the workspace."""

from __future__ import annotations

import argparse
import shutil
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from streamer.cli.exits import Exit
from streamer.cli.options import Subparsers, add_client_options, add_command, count, length_of_time, make_client

if TYPE_CHECKING:
    from streamer.api.types import Batch

STATUSES = ("in_progress", "canceling", "ended")
NEWEST = 20  # batches that are listed when nobody says which


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "list",
        "show batches of the workspace: the newest, those of a status, those about to expire",
        description="Show the newest batches of the workspace, newest first; or those that are asked for.",
        examples="""
  streamer list
  streamer list --status in_progress
  streamer list --expiring 7                                       results that are removed within 7 days
  streamer list --expiring --json | streamer run --ids-from -      download all that is about to expire
""",
    )
    parser.add_argument(
        "--status", metavar="STATUS", choices=STATUSES, help=f"only batches of this status: {', '.join(STATUSES)}"
    )
    parser.add_argument(
        "--expiring",
        metavar="DAYS",
        type=length_of_time("days"),
        nargs="?",
        const=3.0,
        help="only batches whose results are still there and removed within DAYS days (default: 3), soonest first; "
        "the API removes them 29 days after a batch was created",
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=count,
        help=f"how many at most (default: {NEWEST}; all, with --status or --expiring)",
    )
    parser.add_argument("--json", action="store_true", help="the API's object of each batch, one to a line")
    add_client_options(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Ask for the list, and print what is wanted of it."""
    from streamer.cli.loop import run_async

    return run_async(_list(args))


async def _list(args: argparse.Namespace) -> int:
    from streamer.api.types import PAGE_LIMIT
    from streamer.cli.show.batches import batch_table, removal
    from streamer.cli.show.formatting import json_line
    from streamer.clock import SystemClock

    chosen = args.status is not None or args.expiring is not None
    limit = args.limit or (None if chosen else NEWEST)
    until = _until(args.expiring, SystemClock().now())
    batches: list[Batch] = []
    async with make_client(args) as client:
        # What is about to expire is at the end of the list, so all of it is read.
        most = PAGE_LIMIT if limit is None or chosen else min(limit, PAGE_LIMIT)
        async for batch in client.list(limit=most):
            if _wanted(batch, status=args.status, until=until):
                batches.append(batch)
            if len(batches) == limit and args.expiring is None:
                break
    if args.expiring is not None:
        batches = sorted(batches, key=removal)[:limit]
    if args.json:
        for batch in batches:
            print(json_line(batch))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(batch_table(batches, width)))
    return Exit.COMPLETE


def _until(days: float | None, now: datetime) -> datetime | None:
    """The moment that lies so many days ahead; None when nobody asks for one."""
    try:
        return None if days is None else now + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _wanted(batch: Batch, *, status: str | None, until: datetime | None) -> bool:
    """Whether a batch has the status asked for, and results that are removed before then."""
    from streamer.cli.show.batches import removal

    if status is not None and batch.processing_status != status:
        return False
    return until is None or (batch.ended and batch.archived_at is None and removal(batch) <= until)
