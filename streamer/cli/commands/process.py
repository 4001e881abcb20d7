"""`streamer process`: from request files to one file of answers, in one command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from streamer.cli.options import (
    Subparsers,
    add_client_options,
    add_command,
    add_fields_option,
    add_prices_option,
    add_submission_options,
    add_text_option,
    add_watching_options,
    make_client,
)
from streamer.cli.paths import path_value, target_value
from streamer.defaults import RETRIES

if TYPE_CHECKING:
    from streamer.api.client import Client
    from streamer.project.options import ProcessOptions

DESCRIPTION = """
Make batches of request files, wait for them, stream their results, send again what failed and can be sent again, and
write the answers in the order of the requests, each once, into one file: lines of JSON, or one JSON array when its
name ends in .json. An answer is its record as it came, or with --text its text.

Interrupted anywhere, by you or by the night, the same command goes on: what was sent is in the project, a directory
beside the first file, and no batch is created twice. When all is done it sends nothing.

Exit 0 says that every request has its answer, and that none failed in a way that another try could mend; what failed
for good stands in the file with its error.
"""

EXAMPLES = """
  streamer process requests.jsonl --to answers.jsonl
  streamer process part-1.jsonl part-2.jsonl --to answers.json
  streamer process articles.csv --template params.json --to answers.jsonl --fields title
  streamer process articles.json --template request.json --to summaries.json --text
  make-requests | streamer process - --project mine --to - --text | jq -r .text
  streamer process requests.jsonl --to answers.jsonl --retry 5         more patience, also afterwards
"""


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    about = "from request files to one file of answers: submit, wait, stream, retry, join"
    parser = add_command(subparsers, "process", about, description=DESCRIPTION, examples=EXAMPLES)
    parser.add_argument(
        "files",
        metavar="FILE",
        type=path_value,
        nargs="+",
        help="the requests, in any form that `streamer submit` takes; - is stdin",
    )
    parser.add_argument(
        "--to",
        metavar="TARGET",
        type=target_value,
        required=True,
        help="where the answers go: a file, a JSON array if it ends in .json; - is stdout",
    )
    parser.add_argument(
        "--retry",
        metavar="N",
        type=retries,
        default=RETRIES,
        help="send what failed again, up to so many times (default: %(default)s)",
    )
    add_fields_option(parser)
    add_text_option(parser)
    add_submission_options(parser)
    add_watching_options(parser)
    parser.add_argument("--json", action="store_true", help="a line of JSON on stdout for each batch and for the whole")
    parser.add_argument("--report", metavar="FILE", type=path_value, help="write the whole report there, as JSON")
    add_prices_option(parser)
    add_client_options(parser)
    parser.set_defaults(handler=handler, when_interrupted="run the same command again to go on")


def handler(args: argparse.Namespace) -> int:
    """Check what was asked for, then do it."""
    from streamer.cli.asking import whoever_is_there
    from streamer.cli.loop import run_async

    options = replace(
        options_of(args),
        warm_cache=args.warm_cache,
        max_requests=args.max_requests,
        changed=args.changed,
        on_unknown=args.on_unknown or whoever_is_there(),
    )
    return run_async(answer(args, args.files, args.to, options))


def handle_run(args: argparse.Namespace, ids: Sequence[str]) -> int:
    """`streamer run --retry`: the same for batches that are there already.

    Raises:
        ConfigurationError: it was asked for together with what it cannot be.
    """
    from streamer.cli.loop import run_async
    from streamer.errors import ConfigurationError

    if args.all or args.follow or not ids:
        raise ConfigurationError("--retry is for batches that are named one by one, not for --all or --follow")
    if not args.requests:
        raise ConfigurationError(
            "--retry needs the requests the batches were made from: name their files by --requests"
        )
    if len(args.to or ()) != 1 or "{batch_id}" in args.to[0]:
        raise ConfigurationError("--retry writes all answers into one file: name it by --to, without {batch_id}")
    if args.only or args.checkpoint or args.rejects or not args.usage:
        raise ConfigurationError("--only, --checkpoint, --rejects and --no-usage do not go with --retry")
    return run_async(answer(args, args.requests, args.to[0], replace(options_of(args), batch_ids=ids)))


def options_of(args: argparse.Namespace) -> ProcessOptions:
    """What the words of `process`, and of `run --retry`, say about it."""
    from streamer.cli.requestfiles import say_problem
    from streamer.project.options import ProcessOptions

    return ProcessOptions(
        project=args.project,
        retries=args.retry,
        fields=args.fields,
        text=args.text,
        id_prefix=args.id_prefix,
        template=args.template,
        concurrency=args.concurrency,
        poll_interval=args.poll_interval,
        on_problem=say_problem,
    )


async def answer(args: argparse.Namespace, files: Sequence[str], to: str, options: ProcessOptions) -> int:
    """Have every request in the files answered, and tell of it.

    Args:
        args: the words of the command.
        files: the request files; `-` is stdin.
        to: where the answers go.
        options: how.
    """
    from streamer.cli.requestfiles import request_files
    from streamer.cli.show.processprogress import ProcessProgress
    from streamer.cli.show.reporter import Reporter
    from streamer.cli.show.terminal import shown
    from streamer.errors import ConfigurationError
    from streamer.project.process import process

    if args.json and to == "-":
        raise ConfigurationError("--to - and --json both write to stdout; send the answers to a file, or drop --json")
    reporter = Reporter(args, [to], files)
    looked_on = not args.quiet and sys.stderr.isatty()
    client: Client
    async with make_client(args) as client:
        prices = None if args.quiet else reporter.prices
        progress = ProcessProgress(client, reporter.batch, prices, looked_on=looked_on)
        drawn = looked_on and not ((args.json or to == "-") and sys.stdout.isatty())
        async with shown(progress, on=drawn) as progress.progress_line.redraw:
            report = await process(
                client,
                request_files(files),
                to,
                options,
                observer=progress,
            )
    return reporter.process(report)


def retries(text: str) -> int:
    """The value of --retry: a whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)
