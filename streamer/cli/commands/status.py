"""`streamer status`: where a project stands, and what the next run would do."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from streamer.cli.exits import Exit
from streamer.cli.options import Subparsers, add_client_options, add_command, add_prices_option, make_client
from streamer.cli.paths import directory_value
from streamer.cli.show.formatting import json_line

if TYPE_CHECKING:
    from streamer.project.status import ProjectStatus

KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")

DESCRIPTION = """
Say where a project stands: its batches, and how far each is; the answers by type, and what is missing; what it cost;
and what the next run of the same command would do.

Nothing is changed, and a process that works in the project is not held up: a copy of its ledger is read. With a key the
API is asked about the batches whose results are not there yet; without one, or with --offline, nothing is asked.
"""


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "status",
        "say where a project of `process` or `submit` stands",
        description=DESCRIPTION,
        examples="""
  streamer status requests.jsonl.streamer
  streamer status requests.jsonl.streamer --offline --json | jq -r '.batches[].batch_id'
""",
    )
    parser.add_argument(
        "project", metavar="PROJECT", type=directory_value, help="the project's directory, e.g. requests.jsonl.streamer"
    )
    parser.add_argument("--offline", action="store_true", help="ask the API nothing")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    add_prices_option(parser)
    add_client_options(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Look, then say it."""
    from streamer.cli.loop import run_async

    return run_async(_status(args))


async def _status(args: argparse.Namespace) -> int:
    from streamer.cli.show.projectstatus import status_document, status_lines
    from streamer.pricing import Prices
    from streamer.project.status import status

    prices = Prices.load(args.prices)
    found: ProjectStatus
    keyed = args.header or any(map(os.environ.get, KEYS))
    if args.offline or not keyed:
        found = await status(args.project)
    else:
        async with make_client(args) as client:
            found = await status(args.project, client)
    if args.json:
        print(json_line(status_document(found, prices)))
    else:
        print("\n".join(status_lines(found, prices)))
    return Exit.COMPLETE
