"""`python -m streamer.faults`: the proxy on the command line."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

from streamer.faults.kinds import described
from streamer.faults.proxy import STATS_PATH, serving
from streamer.faults.script import TARGETS, Script
from streamer.serverprocess import ready, watch_stdin

DESCRIPTION = """\
A proxy on 127.0.0.1 in front of a Message Batches API, such as `streamer serve`, that damages the answers that pass.
"""
GRAMMAR = f"""\
a fault: [OPERATION:]NAME[=VALUE][@PLACE][;PARAM=VALUE...][,WHEN...]
  OPERATION   {", ".join(TARGETS)}; results unless said
  PLACE       1000, 64k, 50%, random, head
  WHEN        p=0.2 chance, n=3 at most, every=4, after=2, per=batch
"""


def help_of_faults() -> str:
    """The grammar and every fault, for the end of a help page."""
    return GRAMMAR + "\n" + "\n".join(f"  {form}\n      {about}" for form, about in described())


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; 0 then, 2 when it cannot start."""
    parser = argparse.ArgumentParser(
        prog="python -m streamer.faults",
        description=DESCRIPTION,
        epilog=f"{help_of_faults()}\n\nGET {STATS_PATH} counts requests, connections and faults.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("upstream", help="base URL of the API, e.g. http://127.0.0.1:8123")
    parser.add_argument("--fault", action="append", default=[], metavar="FAULT", help="a fault (repeatable)")
    parser.add_argument("--seed", type=int, default=0, help="decides everything that is random (default: 0)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 picks a free one (default: 0)")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input does: never outlive who started it"
    )
    parser.add_argument("--json", action="store_true", help="say that it listens as one line of JSON")
    args = parser.parse_args(argv)
    try:
        script = Script(args.fault, args.seed)
        asyncio.run(_serve(args.upstream, script, args.port, as_json=args.json, bound=args.until_stdin_closes))
    except ValueError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"cannot listen on port {args.port}: {error.strerror or error}")
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"python -m streamer.faults: {message}\n")
    return 2


async def _serve(upstream: str, script: Script, port: int, *, as_json: bool, bound: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if bound:
        await watch_stdin(stop)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(upstream, script, port=port) as base_url:
        line = ready(base_url) if as_json else f"faults before {upstream} listening on {base_url}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    raise SystemExit(main())
