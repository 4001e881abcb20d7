"""`streamer cancel`: stop batches that are under way."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from streamer.cli.options import Subparsers, add_client_options, add_command, add_ids

if TYPE_CHECKING:
    from streamer.api.client import Client
    from streamer.api.types import Batch


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "cancel",
        "cancel batches; what is done already is kept",
        description="Cancel batches. A canceled batch ends a little later, with the results of what was done by then.",
        examples="""
  streamer cancel msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d            asks first
  streamer cancel --yes msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d      for scripts
""",
    )
    add_ids(parser, "+")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_client_options(parser)
    parser.set_defaults(handler=handler, command="cancel")


def handler(args: argparse.Namespace) -> int:
    """Ask, then cancel what has not ended."""
    from streamer.cli.eachbatch import BatchChange, change_each
    from streamer.cli.loop import run_async

    change = BatchChange("Cancel {batches}? What is done by then is kept.", _refusal, _cancel)
    return run_async(change_each(args, change))


def _refusal(batch: Batch) -> str | None:
    return "it has ended, so there is nothing to cancel" if batch.ended else None


async def _cancel(client: Client, batch_id: str) -> str:
    from streamer.cli.show.batches import batch_line

    return batch_line(await client.cancel(batch_id))
