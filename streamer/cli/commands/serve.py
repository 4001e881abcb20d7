"""`streamer serve`: the emulator on the command line."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from streamer.cli.exits import Exit, Interrupted
from streamer.cli.options import Subparsers, add_command
from streamer.cli.stdio import say
from streamer.emulator.settings import Settings

DESCRIPTION = """
A local server that behaves as the Message Batches API does: create, retrieve, list, results, cancel, delete.
No key and no network are needed: any key that is not a real one will do.

Not of the API: GET /_emulator/stats counts what was asked; POST /_emulator/advance {"seconds": n} moves the clock.
"""

EXAMPLES = """
  streamer serve --port 8123 --speed 100         batches end after about a second
  streamer serve --fill 20 --records 500         a workspace with 20 batches about to end
  streamer serve --fill-ended 1 --records 100000 --record-bytes 20000     2 GB of results
  streamer serve --fill 5 --fault results:rst@random,p=0.2      see python -m streamer.faults --help
  curl -s http://127.0.0.1:8123/v1/messages/batches -H 'x-api-key: test' -H 'anthropic-version: 2026-10-21'
"""


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    about = "run the emulator: a faithful local Message Batches API"
    parser = add_command(subparsers, "serve", about, description=DESCRIPTION, examples=EXAMPLES)
    add_switches(parser)
    parser.set_defaults(handler=handler)


def add_switches(parser: argparse.ArgumentParser) -> None:
    """One option for each of the emulator's settings, and two about the process."""
    for switch in fields(Settings):
        flag = "--" + switch.name.replace("_", "-")
        about = str(switch.metadata["help"]).replace("%", "%%")
        default: Any = switch.default
        if default is False:
            parser.add_argument(flag, action="store_true", help=about)
        elif isinstance(default, tuple):
            parser.add_argument(flag, action="append", default=[], metavar=switch.name.upper(), help=about)
        else:
            parser.add_argument(
                flag,
                type=type(default),
                default=default,
                choices=switch.metadata["choices"] or None,
                metavar=None if switch.metadata["choices"] else type(default).__name__.upper(),
                help=f"{about} (default: {str(default).replace('%', '%%')})",
            )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input does: never outlive who started it"
    )
    parser.add_argument("--json", action="store_true", help="say that it listens as one line of JSON")


def handler(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM, which is how it is meant to end."""
    from streamer.cli.loop import run_async

    values = {switch.name: getattr(args, switch.name) for switch in fields(Settings)}
    try:
        settings = Settings(**values | {"key": tuple(args.key), "fault": tuple(args.fault)})
    except ValueError as error:
        say(str(error))
        return Exit.USAGE
    try:
        return run_async(_serve(settings, as_json=args.json, bound=args.until_stdin_closes))
    except Interrupted:
        return Exit.COMPLETE
    except OSError as error:
        say(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}; try another --port")
        return Exit.USAGE


async def _serve(settings: Settings, *, as_json: bool, bound: bool) -> int:
    import asyncio

    from streamer.emulator.server import serving
    from streamer.serverprocess import ready, watch_stdin

    ended = asyncio.Event()
    if bound:
        try:
            await watch_stdin(ended)
        except ValueError as error:
            say(str(error))
            return Exit.USAGE
    async with serving(settings) as base_url:
        print(ready(base_url) if as_json else f"streamer emulator listening on {base_url}", flush=True)
        await ended.wait()  # a signal cancels this
    return Exit.COMPLETE
