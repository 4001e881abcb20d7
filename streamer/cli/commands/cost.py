"""`streamer cost`: tokens and US dollars by model, of result files and of batches."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.api.masking import escaped
from streamer.cli.exits import Exit
from streamer.cli.options import Subparsers, add_client_options, add_command, add_prices_option, make_client
from streamer.cli.paths import path_value
from streamer.cli.show.formatting import dollars, json_line, plural
from streamer.cli.stdio import say

if TYPE_CHECKING:
    from streamer.cli.tokenusage import UsageTotal
    from streamer.pricing import Cost

DESCRIPTION = """
Sum up what the records of result files and of ended batches used, and what that cost at batch price.

A custom_id that comes twice in a file is counted once. Files are lines of records, or one JSON array of them; they need
neither key nor network. Batches are streamed from the API and nothing is kept of them. A model without a price is
counted and left out of the total, which says so.
"""

COLUMNS = {
    "RECORDS": "requests",
    "INPUT": "input",
    "WRITTEN 5M": "cache_write_5m",
    "WRITTEN 1H": "cache_write_1h",
    "READ": "cache_read",
    "OUTPUT": "output",
    "THINKING": "thinking",
    "SEARCHES": "web_searches",
}


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "cost",
        "sum up tokens and their cost, of result files and batches",
        description=DESCRIPTION,
        examples="""
  streamer cost results/*.jsonl
  streamer cost msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d
  streamer cost answers.jsonl --prices ours.json --json | jq -r .cost.usd
""",
    )
    parser.add_argument(
        "targets", metavar="TARGET", type=path_value, nargs="+", help="a file of results, or the id of an ended batch"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON; amounts are strings with all digits")
    add_prices_option(parser)
    add_client_options(parser)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Count, then price."""
    from streamer.cli.loop import run_async
    from streamer.cli.show.documents import cost_document
    from streamer.cli.tokenusage import UsageTotal
    from streamer.pricing import Prices

    prices, spent = Prices.load(args.prices), UsageTotal()
    paths, ids = _sorted(args.targets)
    code = run_async(_count(args, paths, ids, spent))
    cost = prices.price(spent.usage)
    if args.json:
        document = {"complete": not code, "records": spent.records, "usage": spent.usage, "cost": cost_document(cost)}
        print(json_line(document))
        return code
    if spent.records or not code:  # or the table would say that nothing was spent
        print("\n".join(table(cost)))
    if code:
        say("not all that was asked for is counted")
    if cost.oldest is not None and sys.stderr.isatty() and not args.quiet:
        say(f"batch prices as they were read on {cost.oldest}; --prices FILE puts others in their place")
    return code


def _sorted(targets: Iterable[str]) -> tuple[list[Path], list[str]]:
    """The targets that are files, and those that are ids.

    Raises:
        ConfigurationError: one is neither.
    """
    from streamer.api.origin import BATCH_ID
    from streamer.errors import ConfigurationError

    paths, ids = [], []
    for target in dict.fromkeys(targets):
        path = Path(target)
        if path.is_dir():
            raise ConfigurationError(f"{target} is a directory; name the files in it, e.g. {path / '*.jsonl'}")
        if path.exists():
            paths.append(path)
        elif BATCH_ID.fullmatch(target):
            ids.append(target)
        else:
            raise ConfigurationError(f"{target} is neither a file that is there nor the id of a batch")
    return paths, ids


async def _count(args: argparse.Namespace, paths: Iterable[Path], ids: Sequence[str], spent: UsageTotal) -> int:
    """Count the records of files, then those of batches."""
    from streamer.cli.tokenusage import usage_of_file
    from streamer.errors import StreamerError

    code: int = Exit.COMPLETE
    for path in paths:
        try:
            found = await usage_of_file(path)
        except StreamerError as error:
            say(str(error))
            code = Exit.INCOMPLETE
        else:
            spent.add(found.records, found.usage)
    return max(code, await _stream(args, ids, spent)) if ids else code


async def _stream(args: argparse.Namespace, ids: Iterable[str], spent: UsageTotal) -> int:
    """Count the records of batches as the API sends them."""
    from streamer.cli.eachbatch import for_each
    from streamer.cli.show.repeated import Repeated
    from streamer.cli.show.reporter import say_failure
    from streamer.cli.show.runprogress import RunProgress
    from streamer.cli.show.terminal import shown
    from streamer.cli.tokenusage import CountingSink
    from streamer.errors import ResultsError
    from streamer.runs.run import run

    ended: list[str] = []
    async with make_client(args) as client:

        async def find(batch_id: str) -> None:
            batch = await client.retrieve(batch_id)
            if not batch.ended:
                raise ResultsError(
                    f"{batch_id} is {batch.processing_status}: what it costs is known when it has ended; "
                    f"`streamer run {batch_id}` waits for that"
                )
            ended.append(batch.id)

        code, failures = await for_each(ids, find), Repeated()
        progress = RunProgress(client, ended, lambda report: say_failure(report, failures))
        async with shown(progress, on=not args.quiet):
            report = await run(client, ended, CountingSink(), observer=progress)
        failures.say_rest()
    spent.add(report.records, report.usage)
    return max(code, Exit.COMPLETE if report.complete else Exit.INCOMPLETE)


def table(cost: Cost) -> list[str]:
    """A cost as lines of aligned columns: a line for each model, and the total."""
    from streamer.cli.show.summary import price_of
    from streamer.results.accounting import Tokens

    total = Tokens()
    rows = [["MODEL", *COLUMNS, "USD"]]
    for line in cost.lines:
        total.add(line.tokens)
        rows.append([escaped(line.model), *_counts(line.tokens), price_of(line)])
    rows.append(["total", *_counts(total), dollars(cost.usd)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for model, *cells in rows:
        aligned = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        lines.append("  ".join([model.ljust(widths[0]), *aligned]))
    if cost.unpriced:
        names = ", ".join(map(escaped, cost.unpriced))
        lines.append(f"The total leaves out what has no price, of {plural(len(cost.unpriced), 'model')}: {names}")
    return lines


def _counts(tokens: object) -> list[str]:
    return [f"{getattr(tokens, name):,}" for name in COLUMNS.values()]
