"""`streamer submit`: one batch from a file of requests."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from streamer.cli.exits import Exit
from streamer.cli.options import Subparsers, add_client_options, add_command, make_client
from streamer.cli.output import escaped, plural, say

DESCRIPTION = """
Create a batch from a file with one request to a line:

  {"custom_id": "q-1", "params": {"model": "claude-opus-5-5", "max_tokens": 1024, "messages": [...]}}

Everything that the API would refuse the batch for is looked for first, and all of it is told with its line; then
nothing is sent. Wrong params are no such thing: they become errored records. The id of the batch goes to stdout.

A create is never repeated when it may have worked, because a second batch costs as much as the first.
"""


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "submit",
        "create a batch from a file of requests",
        description=DESCRIPTION,
        examples="""
  streamer submit requests.jsonl
  make-requests | streamer submit - > id.txt && streamer run --ids-from id.txt
""",
    )
    parser.add_argument("file", metavar="FILE", help="the requests, as lines of JSON; - is stdin")
    add_client_options(parser)
    parser.set_defaults(
        handler=handler, when_interrupted="if it was being sent there may be a batch now: `streamer list` shows it"
    )


def handler(args: argparse.Namespace) -> int:
    """Check the file, then send it."""
    from streamer.api.errors import ConfigurationError
    from streamer.cli.loop import run_async
    from streamer.cli.requestfile import read_requests

    name = "stdin" if args.file == "-" else args.file
    try:
        if args.file == "-":
            requests, faults = read_requests(sys.stdin.buffer, name)
        else:
            with Path(args.file).open("rb") as lines:
                requests, faults = read_requests(lines, name)
    except OSError as error:
        raise ConfigurationError(f"the requests cannot be read from {name}: {error.strerror}") from None
    for fault in faults:
        say(fault)
    if faults:
        raise ConfigurationError(f"nothing was sent: {name} has {plural(len(faults), 'fault')}")
    return run_async(_submit(args, requests))


async def _submit(args: argparse.Namespace, requests: list[bytes]) -> int:
    from streamer.api.errors import OutcomeUnknownError

    async with make_client(args) as client:
        try:
            batch = await client.create(requests)
        except OutcomeUnknownError as error:
            raise OutcomeUnknownError(f"{error}; `streamer list` shows whether there is a batch now") from None
    print(escaped(batch.id))
    if sys.stderr.isatty() and not args.quiet:
        say(f"{plural(len(requests), 'request')} sent; for the results: streamer run {batch.id}")
    return Exit.COMPLETE
