"""The whole command line as one argparse parser."""

from __future__ import annotations

import argparse
from typing import NoReturn

from streamer.cli.commands import (
    cancel,
    completion,
    cost,
    delete,
    demo,
    join,
    list,  # noqa: A004 - the command's name
    process,
    retry,
    run,
    serve,
    show,
    submit,
)
from streamer.cli.exits import Exit
from streamer.cli.stdio import say

DESCRIPTION = "Watch many Anthropic Message Batches at once and stream every result, record by record, into files."

EPILOG = """\
first steps:
  streamer demo                                 the whole thing on a built-in emulator: no key, no network
  export ANTHROPIC_API_KEY=...                  your key, in the environment only
  streamer submit requests.jsonl                make a batch
  streamer run --all                            wait for every batch, results into results/{batch_id}.jsonl

environment:
  ANTHROPIC_API_KEY       the key, sent as x-api-key
  ANTHROPIC_AUTH_TOKEN    a bearer token, when there is no key
  ANTHROPIC_BASE_URL      where the API is, e.g. a gateway; https://api.anthropic.com by default

exit codes:
  0    every record of every batch is delivered, or the command did what it was asked
  1    something is incomplete or failed; stderr and the report say what and why
  2    usage: what was asked for cannot work, and nothing was sent
  130  interrupted by Ctrl-C or SIGTERM; safe to run again

Data goes to stdout, everything else to stderr. `streamer COMMAND --help` has examples of each command.
"""


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is, and exit."""
        say(f"{message}; see `{self.prog} --help`")
        raise SystemExit(Exit.USAGE)


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *unused: object) -> NoReturn:
        from importlib.metadata import version

        print("streamer", version("batchstreamer"))
        raise SystemExit(Exit.COMPLETE)


def make_parser() -> argparse.ArgumentParser:
    """The parser; `parse_args` gives a namespace with the command's `handler`."""
    parser = Parser(
        prog="streamer",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    parser.set_defaults(parser=parser)  # completion describes the whole of it
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (demo, process, run, submit, retry, join, list, show, cancel, delete, cost, serve, completion):
        module.register(subparsers)
    for command in subparsers.choices.values():
        command.add_argument("-v", "--verbose", action="store_true", help="also say what is being done, on stderr")
        command.add_argument("-q", "--quiet", action="store_true", help="say nothing on stderr but errors")
    return parser
