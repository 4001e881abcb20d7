"""`streamer list`, `show`, `cancel` and `delete`: their options."""

from __future__ import annotations

import argparse

from streamer.cli.options import Subparsers, add_client_options, add_command, add_ids, count


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the commands to the command line."""
    parser = add_command(
        subparsers,
        "list",
        "show the newest batches of the workspace",
        description="Show the newest batches of the workspace, newest first.",
        examples="""
  streamer list
  streamer list --limit 200 --json | jq -r 'select(.processing_status == "ended").id'
""",
    )
    parser.add_argument("--limit", metavar="N", type=count, default=20, help="how many at most (default: 20)")
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
        examples="\n  streamer cancel msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d",
    )
    add_ids(parser, "+")
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
    from streamer.cli.loop import run_async
    from streamer.cli.workspace import COMMANDS

    return run_async(COMMANDS[args.command](args))
