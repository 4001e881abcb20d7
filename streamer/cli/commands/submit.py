"""`streamer submit`: from request files to batches, each created exactly once."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from streamer.cli.exits import Exit
from streamer.cli.options import (
    Subparsers,
    add_client_options,
    add_command,
    add_prices_option,
    add_submission_options,
    count,
    make_client,
)
from streamer.cli.paths import path_value
from streamer.cli.requestfiles import request_files, say_problem
from streamer.cli.show.formatting import plural
from streamer.cli.stdio import say

if TYPE_CHECKING:
    from streamer.requests.reading import RequestFile

DESCRIPTION = """
Make batches of request files: lines of {"custom_id": ..., "params": {...}}, the API's own {"requests": [...]}, an
array of requests, lines of bare params, or with --template data: CSV, a JSON array of objects or lines of them.
Several files are one submission.

First everything is checked: what the API would refuse is told with its file and line, all of it, and then nothing is
sent. The requests are split into batches of at most 100,000 requests and 256 MB. The ids go to stdout as the batches
are created.

No batch is created twice. What is sent is written down first, in the project: a directory beside the first file.
Killed or interrupted, the same command goes on; when all is sent it sends nothing and prints the same ids. Where an
answer was lost the list of batches tells whether there is a batch; --on-unknown says what to do where it does not.
While the queue of the workspace is full it waits; a spend limit stops it.
"""

EXAMPLES = """
  streamer submit requests.jsonl
  streamer submit requests.jsonl --dry-run                  how many batches, and about what they cost
  streamer submit prompts.csv --template params.json --probe 5
  make-requests | streamer submit - --project mine | streamer run --ids-from -
  streamer submit requests.jsonl --warm-cache               for a long prefix that all requests share
"""


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    about = "create batches from request files"
    parser = add_command(subparsers, "submit", about, description=DESCRIPTION, examples=EXAMPLES)
    parser.add_argument("files", metavar="FILE", type=path_value, nargs="+", help="the requests; - is stdin")
    add_submission_options(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="check, count and estimate only; sends nothing and needs no key"
    )
    parser.add_argument(
        "--probe",
        metavar="N",
        type=count,
        default=0,
        help="first send N requests, evenly spread, as ordinary messages: params that are not valid show at once. They "
        "are sent as they are, max_tokens included, and billed at the full price",
    )
    add_prices_option(parser)
    add_client_options(parser)
    parser.set_defaults(
        handler=handler, when_interrupted="run the same command again to go on; no batch is created twice"
    )


def handler(args: argparse.Namespace) -> int:
    """Check the files, then send them."""
    from streamer.cli.loop import run_async

    files = request_files(args.files)
    if args.dry_run:
        from streamer.cli.commands.dryrun import dry_run

        return dry_run(args, files)
    return run_async(_submit(args, files))


async def _submit(args: argparse.Namespace, files: list[RequestFile]) -> int:
    from streamer.cli.asking import whoever_is_there
    from streamer.cli.show.created import CreatedIds
    from streamer.cli.show.terminal import shown
    from streamer.pricing import Prices
    from streamer.project.options import SubmitOptions
    from streamer.project.submit import submit

    prices = Prices.load(args.prices)
    observer = CreatedIds(prices=None if args.quiet else prices)
    progress_line = observer.progress_line
    async with make_client(args) as client, shown(progress_line, on=not args.quiet) as progress_line.redraw:
        ids = await submit(
            client,
            files,
            SubmitOptions(
                project=args.project,
                id_prefix=args.id_prefix,
                template=args.template,
                probe=args.probe,
                on_unknown=args.on_unknown or whoever_is_there(),
                warm_cache=args.warm_cache,
                max_requests=args.max_requests,
                changed=args.changed,
                on_problem=say_problem,
            ),
            observer=observer,
        )
    if sys.stderr.isatty() and not args.quiet:
        say(
            f"all requests are sent, in {plural(len(ids), 'batch')}; for the results: streamer run {' '.join(ids[:2])}"
            + " ..." * (len(ids) > 2)
        )
    return Exit.COMPLETE
