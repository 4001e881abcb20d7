"""`streamer delete`: remove ended batches from the API, for good."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from streamer.api.masking import escaped
from streamer.cli.options import Subparsers, add_client_options, add_command, add_ids

if TYPE_CHECKING:
    from streamer.api.client import Client
    from streamer.api.types import Batch


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "delete",
        "delete ended batches and their results",
        description="Delete ended batches and their results from the API, for good. Files of results are not touched.",
        examples="""
  streamer delete msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d            asks first
  streamer delete --yes msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d      for scripts
""",
    )
    add_ids(parser, "+")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_client_options(parser)
    parser.set_defaults(handler=handler, command="delete")


def handler(args: argparse.Namespace) -> int:
    """Ask, then delete what has ended."""
    from streamer.cli.eachbatch import BatchChange, change_each
    from streamer.cli.loop import run_async

    change = BatchChange("Delete {batches}? The results are gone from the API then, for good.", _refusal, _delete)
    return run_async(change_each(args, change))


def _refusal(batch: Batch) -> str | None:
    return None if batch.ended else "only an ended batch can be deleted, `streamer cancel` it first"


async def _delete(client: Client, batch_id: str) -> str:
    return f"{escaped((await client.delete(batch_id)).id)} deleted"
