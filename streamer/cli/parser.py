"""The whole command line as one argparse parser, and what it says to a word that it does not know."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, NoReturn

from streamer.cli.commands import (
    cancel,
    completion,
    cost,
    delete,
    demo,
    help,  # noqa: A004 - the command's name, as it is typed
    join,
    process,
    retry,
    run,
    serve,
    show,
    status,
    submit,
)
from streamer.cli.commands import list as list_
from streamer.cli.exits import Exit
from streamer.cli.helptext import HelpFormatter
from streamer.cli.stdio import say

COMMANDS = (demo, process, run, submit, status, retry, join, list_, show, cancel, delete, cost, serve, completion, help)

DESCRIPTION = "Watch many Anthropic Message Batches at once and stream every result, record by record, into files."

EPILOG = """\
first steps:
  streamer demo                                           the whole thing on a built-in emulator: no key, no network
  export ANTHROPIC_API_KEY=...                            your key, in the environment only
  streamer submit requests.jsonl --dry-run                what the requests come to; sends nothing
  streamer process requests.jsonl --to answers.jsonl      from requests to answers: submit, wait, stream, retry, join
  streamer run --all                                      results of batches that are there already, into results/

environment:
  ANTHROPIC_API_KEY       the key, sent as x-api-key
  ANTHROPIC_AUTH_TOKEN    a bearer token, when there is no key
  ANTHROPIC_BASE_URL      where the API is, e.g. a gateway; https://api.anthropic.com by default
  HTTPS_PROXY, NO_PROXY   a proxy, used with --proxy environment only
  SSL_CERT_FILE           authorities that sign the servers' certificates, in place of the system's;
                          likewise SSL_CERT_DIR, and REQUESTS_CA_BUNDLE beside the system's

exit codes:
  0    every record of every batch is delivered, or the command did what it was asked
  1    something is incomplete or failed, or no request succeeded; stderr and the report say what and why
  2    usage: what was asked for cannot work, and nothing was sent
  130  interrupted by Ctrl-C or SIGTERM; safe to run again

Data goes to stdout, everything else to stderr. `streamer COMMAND --help` has examples of each command.
"""

# What people try to give in a command line, where every user of the machine could read it.
KEY_OPTIONS = {"--api-key", "--apikey", "--key", "--token", "--auth-token"}


class _StoreOnce(argparse._StoreAction):  # noqa: SLF001 - argparse has no public name for it
    """An option that takes one value, and is refused the second time: one of the two would be dropped."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if option is not None and isinstance(parser, Parser):
            if self.dest in parser.given:
                parser.error(f"{option} is given twice, and only one of the two could be meant")
            parser.given.add(self.dest)
        super().__call__(parser, namespace, values, option)


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence that names what may have been meant.

    Attributes:
        given: the options that were given so far and take one value.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.given: set[str] = set()
        self.register("action", None, _StoreOnce)
        self.register("action", "store", _StoreOnce)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is, and exit."""
        say(f"{message}; see `{self.prog} --help`")
        raise SystemExit(Exit.USAGE)

    # What is left over is reported by the parser that knows which options there are, not by the one at the top.
    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and refuse what is not known."""
        self.given.clear()
        for word in self._leading(sys.argv[1:] if args is None else args):
            if word not in self._option_string_actions:
                self.error(self._unknown(word))
        parsed, left = super().parse_known_args(args, namespace)
        if left:
            self.error(self._unknown(left[0].partition("=")[0]))
        return parsed, left

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a command, or a value of an option, that is not among the choices."""
        if action.choices is None or value in action.choices:
            return
        names = [str(choice) for choice in action.choices]
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            self.error(f"there is no command {value!r}{_meant(str(value), names) or '; they are ' + ', '.join(names)}")
        told = f"{value!r} is none of {', '.join(names)}"
        raise argparse.ArgumentError(action, told + _meant(str(value), names))

    def _unknown(self, word: str) -> str:
        """What is said to a word that nothing is known of; a value, which may be a secret, is not repeated."""
        if not word.startswith("-"):
            return f"`{self.prog}` takes no {word!r}"
        if word in KEY_OPTIONS:
            return (
                "the key is taken from ANTHROPIC_API_KEY in the environment, never from a command line, which every "
                "user of the machine can read"
            )
        options = self._option_string_actions
        owners = [name for name, command in self._commands().items() if word in command._option_string_actions]  # noqa: SLF001
        if owners:
            return f"{word} belongs behind the command: `{self.prog} {owners[0]} ... {word}`"
        return f"`{self.prog}` has no option {word}{_meant(word, options)}"

    def _leading(self, words: Sequence[str]) -> Iterator[str]:
        """The options before the command; one that is not known would have its value taken for the command."""
        if self._commands():
            for word in takewhile(lambda word: word.startswith("--"), words):
                yield word.partition("=")[0]

    def _commands(self) -> dict[str, argparse.ArgumentParser]:
        groups = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
        return dict(groups[0].choices) if groups else {}


def _meant(word: str, known: Iterable[str]) -> str:
    """The question which of the known words was meant; empty when none is like it."""
    names = {name.lstrip("-"): name for name in known if name not in {"-h", "-v", "-q"}}  # dashes are alike in all
    close = [names[name] for name in get_close_matches(word.lstrip("-"), names, n=2)]
    return f"; did you mean {' or '.join(close)}?" if close else ""


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *unused: object) -> NoReturn:
        from importlib.metadata import version

        print("streamer", version("batchstreamer"))
        raise SystemExit(Exit.COMPLETE)


def make_parser() -> Parser:
    """The parser; `parse_args` gives a namespace with the command's `handler`."""
    parser = Parser(
        prog="streamer", description=DESCRIPTION, epilog=EPILOG, formatter_class=HelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    _add_loudness(parser, default=False)
    parser.set_defaults(parser=parser, handler=_print_help)  # completion describes the whole of it
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for module in COMMANDS:
        module.register(subparsers)
    for command in subparsers.choices.values():
        _add_loudness(command, default=argparse.SUPPRESS)  # or it would undo what stands before the command
    return parser


def _add_loudness(parser: argparse.ArgumentParser, *, default: bool | str) -> None:
    """How much is said, which may stand before the command or behind it."""
    parser.add_argument(
        "-v", "--verbose", action="store_true", default=default, help="also say what is being done, on stderr"
    )
    parser.add_argument("-q", "--quiet", action="store_true", default=default, help="say nothing on stderr but errors")


def _print_help(args: argparse.Namespace) -> int:
    """Show what there is to somebody who asked for nothing."""
    args.parser.print_help()
    return Exit.COMPLETE
