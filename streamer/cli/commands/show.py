"""`streamer show`: everything about one batch."""

from __future__ import annotations

import argparse

from streamer.cli.options import Subparsers, add_client_options, add_command, add_ids, make_client


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "show",
        "show everything about one batch",
        description="Show everything that the API says about one batch.",
        examples="\n  streamer show msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d",
    )
    add_ids(parser, "+")
    parser.add_argument("--json", action="store_true", help="the API's object, on one line")
    add_client_options(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Look each batch up, and print what the API says of it."""
    from streamer.cli.loop import run_async

    return run_async(_show(args))


async def _show(args: argparse.Namespace) -> int:
    from streamer.cli.eachbatch import for_each
    from streamer.cli.show.batches import batch_page
    from streamer.cli.show.formatting import json_line
    from streamer.errors import NotFoundError, StreamerError

    async with make_client(args) as client:

        async def show_one(batch_id: str) -> None:
            try:
                batch = (await client.poll_batch(batch_id)).value  # a person looks, who can look again
            except NotFoundError as error:
                raise StreamerError(f"{error}; one that was created a moment ago may be known in a minute") from None
            print(json_line(batch) if args.json else "\n".join(batch_page(batch)))

        return await for_each(args.ids, show_one)
