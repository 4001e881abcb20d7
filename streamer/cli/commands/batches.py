"""`streamer list`, `show`, `cancel` and `delete`: their options."""

from __future__ import annotations

import argparse

from streamer.cli.options import Subparsers, add_client_options, add_command, add_ids, count, length_of_time

STATUSES = ("in_progress", "canceling", "ended")


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the commands to the command line."""
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
    parser.add_argument("--status", choices=STATUSES, help="only batches of this status")
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
        "--limit", metavar="N", type=count, help="how many at most (default: 20; all, with --status or --expiring)"
    )
    parser.add_argument("--json", action="store_true", help="the API's object of each batch, one to a line")
    add_client_options(parser)
    parser.set_defaults(handler=_handler, command="list")

    parser = add_command(
        subparsers,
        "show",
        "show everything about one batch",
        description="Show everything that the API says about one batch.",
        examples="\n  streamer show msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d",
    )
    add_ids(parser, "+")
    parser.add_argument("--json", action="store_true", help="the API's object, on one line")
    add_client_options(parser)
    parser.set_defaults(handler=_handler, command="show")

    parser = add_command(
        subparsers,
        "cancel",
        "cancel batches; what is done already is kept",
        description="Cancel batches. A canceled batch ends a little later, with the results of what was done by then.",
        examples="""
  streamer cancel msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d            asks first
  streamer cancel --yes msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d      for scripts
""",
    )
    add_ids(parser, "+")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_client_options(parser)
    parser.set_defaults(handler=_handler, command="cancel")

    parser = add_command(
        subparsers,
        "delete",
        "delete ended batches and their results",
        description="Delete ended batches and their results from the API, for good. Files of results are not touched.",
        examples="""
  streamer delete msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d            asks first
  streamer delete --yes msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d      for scripts
""",
    )
    add_ids(parser, "+")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_client_options(parser)
    parser.set_defaults(handler=_handler, command="delete")


def _handler(args: argparse.Namespace) -> int:
    from streamer.cli.commands.workspace import COMMANDS
    from streamer.cli.loop import run_async

    return run_async(COMMANDS[args.command](args))
