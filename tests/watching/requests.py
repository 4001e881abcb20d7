"""How many requests watching takes, over real seconds, against the emulator: `python -m tests.watching.requests`."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import ExitStack
from typing import NamedTuple

from streamer.api.client import Client
from streamer.defaults import POLL_INTERVAL
from streamer.emulator.running import RunningEmulator, running
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.queue import QueueSink

SIZES = {"nothing": 0, "one": 1, "2,000": 2000}  # batches in progress
MODES = {
    "run IDS": RunOptions(),
    "run --all": RunOptions(everything=True),
    "run --follow": RunOptions(follow=True),
    "run --all --follow": RunOptions(everything=True, follow=True),
}
PAGE = 1000


def say(line: str) -> None:
    """One line of the table."""
    print(line)  # noqa: T201 - this is what the command is for


class Counted(NamedTuple):
    """What one run has asked for."""

    mode: str
    size: str
    requests: int
    ended: bool  # by itself, before the time was over


async def count(mode: str, size: str, emulator: RunningEmulator, seconds: float) -> Counted:
    """Let one run go for so many seconds."""
    async with Client(api_key="test-key", base_url=emulator.base_url) as client:
        ids = [batch.id async for batch in client.list()] if mode == "run IDS" else []
        before = client.requests
        watching = asyncio.create_task(run(client, ids, QueueSink(asyncio.Queue(1)), MODES[mode]))
        await asyncio.wait([watching], timeout=seconds)
        ended = watching.done()
        watching.cancel()
        await asyncio.wait([watching])
        if ended:
            watching.result()
        return Counted(mode, size, client.requests - before, ended)


def most(size: int, seconds: float) -> int:
    """As many requests as there may be: a look for new batches and a round, or two, in each interval."""
    pages = max(1, -(-size // PAGE))
    return int(seconds / POLL_INTERVAL + 1) * (1 + 2 * (pages + 1))


async def main(seconds: float) -> bool:
    """Count, print a table; whether all of it is as it should be."""
    with ExitStack() as stack:
        emulators = {
            size: stack.enter_context(running(fill=number, duration=100_000, duration_spread=0))
            for size, number in SIZES.items()
        }
        rows = await asyncio.gather(
            *(count(mode, size, emulator, seconds) for mode in MODES for size, emulator in emulators.items())
        )
    say(f"requests in {seconds:g} s, every {POLL_INTERVAL:g} s")
    say(f"{'':<20}{'in progress':>12}{'requests':>10}{'at most':>9}")
    for row in rows:
        bound = most(SIZES[row.size], seconds)
        told = "  ended by itself" if row.ended else ""
        say(f"{row.mode:<20}{row.size:>12}{row.requests:>10}{bound:>9}{told}{'' if row.requests <= bound else '  !'}")
    return all(row.requests <= most(SIZES[row.size], seconds) for row in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each runs, all at once (default: 30)")
    raise SystemExit(0 if asyncio.run(main(parser.parse_args().seconds)) else 1)
