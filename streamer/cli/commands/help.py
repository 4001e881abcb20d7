"""`streamer help`: the help of the whole, or of a command."""

from __future__ import annotations

import argparse

from streamer.cli.exits import Exit
from streamer.cli.options import Subparsers, add_command


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "help",
        "show this, or the help of a command",
        description="Show what there is, or the help of one command.",
        examples="""
  streamer help
  streamer help process
""",
    )
    parser.add_argument("of", metavar="COMMAND", nargs="?", help="the command; all of them are listed by default")
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Print it."""
    words = ["--help"] if args.of is None else [args.of, "--help"]
    args.parser.parse_args(words)  # which prints, and exits
    return Exit.COMPLETE
