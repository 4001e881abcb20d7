"""The person at the terminal, asked which batch it is that a create made."""

from __future__ import annotations

import asyncio
import sys

from streamer.cli.stdio import say
from streamer.submission.recovery import RESEND, STOP, OnUnknown, Unsettled


def whoever_is_there() -> OnUnknown:
    """Who decides when nobody was told to: the person at the terminal, or else nobody, and it stops."""
    return ask_which if sys.stdin.isatty() and sys.stderr.isatty() else STOP


async def ask_which(unsettled: Unsettled) -> str:
    """What the person decides: `stop`, `resend`, or the id of the batch that it is."""
    say(str(unsettled))
    say("look at them in another terminal with `streamer show ID`, then type the id of the one that was made of it,")
    print("or `resend` if none was, or nothing to stop here: ", end="", file=sys.stderr, flush=True)
    answer = (await _line()).strip()
    return RESEND if answer.lower() == RESEND else answer or STOP


async def _line() -> str:
    """A line of stdin, a terminal; waited for by the loop, so that Ctrl-C ends it."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()
