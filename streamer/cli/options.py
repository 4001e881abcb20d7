"""Options that several commands have, and the client they make."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from streamer.cli.helptext import HelpFormatter
from streamer.cli.paths import directory_value, path_value
from streamer.cli.requestfiles import add_form_options
from streamer.cli.requestheaders import read_headers
from streamer.defaults import CONCURRENCY, MAX_REQUESTS, POLL_INTERVAL

if TYPE_CHECKING:
    from streamer.api.client import Client

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def add_command(
    subparsers: Subparsers[argparse.ArgumentParser], name: str, about: str, *, description: str, examples: str
) -> argparse.ArgumentParser:
    """A command whose help teaches: what it does, its options, examples."""
    return subparsers.add_parser(
        name,
        help=about,
        description=description.strip(),
        epilog="examples:\n" + examples.strip("\n"),
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )


def add_client_options(parser: argparse.ArgumentParser) -> None:
    """Where the API is. There is no option for the key: every user of a machine can read its command lines."""
    parser.add_argument(
        "--base-url", metavar="URL", help="where the API is (else ANTHROPIC_BASE_URL, else https://api.anthropic.com)"
    )
    parser.add_argument(
        "--trust-host",
        metavar="HOST",
        action="append",
        default=[],
        help="another host that results may be fetched from, without the key (repeatable)",
    )
    parser.add_argument(
        "--rebase-results",
        action="store_true",
        help="fetch results from the API at its base URL, whatever host a results_url names: for gateways",
    )
    parser.add_argument(
        "--beta",
        metavar="NAME",
        action="append",
        default=[],
        help="ask for a beta with every request, e.g. output-300k-2026-03-24 (repeatable)",
    )
    parser.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        action="append",
        default=[],
        help="send a header with every request to the API, and nowhere else; @FILE for a file of such lines, as others "
        "can read command lines (repeatable)",
    )
    parser.add_argument(
        "--proxy",
        metavar="URL",
        help="go through a proxy, http://HOST:PORT; the word environment: through the one that HTTPS_PROXY names, but "
        "for the hosts in NO_PROXY",
    )


def add_ids(parser: argparse.ArgumentParser, nargs: str) -> None:
    """The batches a command is about."""
    parser.add_argument("ids", metavar="ID", nargs=nargs, help="a batch, e.g. msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d")


def add_prices_option(parser: argparse.ArgumentParser) -> None:
    """What tokens cost, for those who pay something else or use what the table lacks."""
    parser.add_argument(
        "--prices",
        metavar="FILE",
        type=path_value,
        help="prices that take the place of the built-in ones, model by model; JSON like streamer/prices.json",
    )


def add_watching_options(parser: argparse.ArgumentParser) -> None:
    """How batches are waited for and downloaded."""
    parser.add_argument(
        "--concurrency",
        metavar="N",
        type=count,
        default=CONCURRENCY,
        help="downloads at once (default: %(default)s)",
    )
    parser.add_argument(
        "--poll-interval",
        metavar="SECONDS",
        type=length_of_time("seconds"),
        default=POLL_INTERVAL,
        help="the shortest pause between two questions about a batch (default: %(default)g)",
    )


def add_submission_options(parser: argparse.ArgumentParser) -> None:
    """How requests become batches."""
    parser.add_argument(
        "--project",
        metavar="DIR",
        type=directory_value,
        help="where the submission is kept (default: the first file's name and .streamer)",
    )
    add_form_options(parser)
    parser.add_argument(
        "--max-requests",
        metavar="N",
        type=count,
        default=MAX_REQUESTS,
        help="requests of one batch at most (default: %(default)s)",
    )
    parser.add_argument(
        "--warm-cache",
        action="store_true",
        help="send the first request alone, and the others when it has ended, so that they read the prefix from the "
        'cache; give the prefix {"cache_control": {"type": "ephemeral", "ttl": "1h"}}, as a batch takes longer than '
        "the usual five minutes",
    )
    parser.add_argument(
        "--changed",
        choices=("refuse", "resend"),
        default="refuse",
        help="requests that were sent with other params before: resend sends and pays for them again "
        "(default: %(default)s, and nothing is sent)",
    )
    parser.add_argument(
        "--on-unknown",
        metavar="WHAT",
        help="where it cannot be told whether a batch was created: stop, resend, or the id of the batch that it is "
        "(default: ask on a terminal, else stop)",
    )


def add_fields_option(parser: argparse.ArgumentParser) -> None:
    """What stands beside an answer."""
    parser.add_argument(
        "--fields",
        metavar="NAMES",
        type=names,
        action="extend",
        default=[],
        help="fields of each request to put beside its answer, e.g. params.model, or columns of a CSV: title,year "
        "(repeatable)",
    )


def add_text_option(parser: argparse.ArgumentParser) -> None:
    """The answers as text alone."""
    parser.add_argument(
        "--text",
        action="store_true",
        help="write the text of each answer and not its record: {custom_id: text} into a .json, custom_id, a tab and "
        'the text into a .tsv, else lines of {"custom_id", "text"}; where an answer failed its text is null',
    )


def names(text: str) -> list[str]:
    """The value of an option that takes names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def count(text: str) -> int:
    """The value of an option that counts something: a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def length_of_time(unit: str) -> Callable[[str], float]:
    """Reads the value of an option that is a length of time: a number above 0 of `unit`, e.g. seconds."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {unit} above 0")
        return number

    return read


def make_client(args: argparse.Namespace) -> Client:
    """The client that the options ask for.

    Raises:
        ConfigurationError: no key in the environment, or options that cannot be.
    """
    from streamer.api.client import Client
    from streamer.api.options import ClientOptions

    options = ClientOptions(
        betas=args.beta,
        headers=read_headers(args.header),
        proxy=args.proxy,
        trusted_hosts=args.trust_host,
        rebase_results=args.rebase_results,
    )
    return Client(base_url=args.base_url, options=options)
