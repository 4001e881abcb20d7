"""`streamer demo`: the main job from end to end on the emulator, in half a minute of nobody's money."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from streamer.api.masking import escaped
from streamer.cli.exits import Exit
from streamer.cli.options import Subparsers, add_command
from streamer.cli.paths import directory_value
from streamer.cli.stdio import say

if TYPE_CHECKING:
    from streamer.emulator.running import RunningEmulator

BATCHES = 20
REQUESTS = 50  # in each batch
MODEL = "claude-opus-5-5"

# A minute passes on the emulator's clock each second: batches of half a minute to ten end within ten seconds.
SPEED = 60.0
DURATION = 300.0  # emulated seconds, on average
DURATION_SPREAD = 0.9
CANCEL_DURATION = 60.0  # emulated seconds
POLL_INTERVAL = 0.5  # seconds of ours
MIX = "succeeded=0.92,errored=0.05,expired=0.03"  # what becomes of requests that are valid

DESCRIPTION = f"""
Start the emulator in a process of its own, submit {BATCHES} batches of {REQUESTS} requests (text, tools, thinking,
cached prompts, some that cannot work), cancel one of them, wait for all, stream their results into files, and report.
No key and no network are needed; it takes about ten seconds. Every demo makes batches of its own, so running it again
adds files and touches none.
"""


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "demo",
        "the main job end to end on a built-in emulator: no key, no network",
        description=DESCRIPTION,
        examples="""
  streamer demo
  streamer demo --to /tmp/demo
""",
    )
    parser.add_argument(
        "--to",
        metavar="DIR",
        type=directory_value,
        default="streamer-demo",
        help="where files go (default: streamer-demo)",
    )
    parser.set_defaults(handler=handler, when_interrupted="`streamer demo` begins anew, with batches of its own")


def handler(args: argparse.Namespace) -> int:
    """Run the emulator around the main job."""
    from streamer.cli.loop import run_async
    from streamer.emulator.running import running
    from streamer.errors import ConfigurationError

    if Path(args.to).exists() and not Path(args.to).is_dir():
        raise ConfigurationError(f"--to {args.to} is no directory; name one, it is made if it is not there")
    switches: dict[str, Any] = {
        "seed": Random().randrange(1 << 32),  # noqa: S311 - new ids for new batches, no secret
        "speed": SPEED,
        "duration": DURATION,
        "duration_spread": DURATION_SPREAD,
        "cancel_duration": CANCEL_DURATION,
        "retry_after": 0.0,  # the API's ten seconds would be ten minutes of the emulator's
        "mix": MIX,
    }
    with running(**switches) as emulator:
        if not args.quiet:
            say(f"the emulator listens on {emulator.base_url}, in process {emulator.pid}")
        return run_async(_demo(args, emulator))


async def _demo(args: argparse.Namespace, emulator: RunningEmulator) -> int:
    from streamer.api.client import Client
    from streamer.cli.show.repeated import Repeated
    from streamer.cli.show.reporter import say_failure
    from streamer.cli.show.runprogress import RunProgress
    from streamer.cli.show.summary import summary
    from streamer.cli.show.terminal import shown
    from streamer.pricing import Prices
    from streamer.runs.options import RunOptions
    from streamer.runs.run import run
    from streamer.sinks.file import FileSink

    template = str(Path(args.to) / "{batch_id}.jsonl")
    sink = FileSink(template)
    async with Client(base_url=emulator.base_url, api_key=emulator.api_key) as client:
        ids = [(await client.create(requests(number))).id for number in range(BATCHES)]
        await client.cancel(ids[-1])
        if not args.quiet:
            say(f"{BATCHES} batches of {REQUESTS} requests are submitted, and the last of them is canceled")
        progress = RunProgress(client, ids, lambda report: say_failure(report, failures))
        failures = Repeated()
        async with shown(progress, on=not args.quiet):
            report = await run(
                client,
                ids,
                sink,
                RunOptions(poll_interval=POLL_INTERVAL, rejects=str(Path(args.to) / "{batch_id}.rejects.jsonl")),
                observer=progress,
            )
    failures.say_rest()
    print("\n".join(summary(report, [template], Prices.load())))
    if report.complete:
        print("", *ways_to_look(Path(report.batches[0].destinations[0])), sep="\n")
    return Exit.COMPLETE if report.complete else Exit.INCOMPLETE


def ways_to_look(file: Path) -> list[str]:
    """Commands that show what is in a file of results."""
    shown = shlex.quote(escaped(str(file)))
    folder = shlex.quote(escaped(str(file.parent)))
    return [
        "to look at them:",
        f"  wc -l {folder}/*.jsonl",
        f"  head -n 1 {shown} | python3 -m json.tool",
        f"  jq -r '[.custom_id, .result.type] | @tsv' {shown}",
    ]


def requests(number: int) -> Iterator[dict[str, Any]]:
    """The requests of one batch: of each kind some."""
    for n in range(REQUESTS):
        params: dict[str, Any] = {
            "model": MODEL,
            "max_tokens": 2048,
            "messages": [{"role": "user", "content": f"Tell me fact {n} about the number {number}."}],
        }
        match n % 10:
            case 3:
                params["tools"] = [{"name": "look_up", "input_schema": {"type": "object"}}]
            case 5:
                params["thinking"] = {"type": "enabled", "budget_tokens": 1024}
            case 7:
                params["system"] = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
            case 9 if n > 40:
                del params["messages"]  # the API takes it, and answers with an errored record
        yield {"custom_id": f"batch-{number}-fact-{n}", "params": params}
