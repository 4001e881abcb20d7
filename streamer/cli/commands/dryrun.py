"""`streamer submit --dry-run`: what a submission comes to, with nothing sent and nothing left behind."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from streamer.api.masking import escaped
from streamer.cli.exits import Exit
from streamer.cli.requestfiles import say_problem
from streamer.cli.show.advice import say_advice, say_warnings
from streamer.cli.show.formatting import dollars, plural, size
from streamer.cli.show.progressline import ProgressLine
from streamer.cli.show.terminal import shown_beside
from streamer.errors import ConfigurationError
from streamer.pricing import Prices
from streamer.progress import Progress, Work
from streamer.project.project import project_of
from streamer.requests.estimate import Estimate
from streamer.requests.options import PrepareOptions
from streamer.requests.prepare import prepare
from streamer.requests.reading import RequestFile
from streamer.requests.spool import Spool
from streamer.results.accounting import Tokens


def dry_run(args: argparse.Namespace, files: Sequence[RequestFile]) -> int:
    """Check the files and print what would be sent.

    Raises:
        ConfigurationError: something is wrong with the files, or the copy that is made of them cannot be.
    """
    prices = Prices.load(args.prices)
    named = args.project or next((file for file in files if isinstance(file, str | Path)), "stdin")
    beside = project_of([named], None).absolute().parent  # where the requests would be written, too
    progress_line = ProgressLine()
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".streamer-dry-run-", dir=beside) as folder,
            shown_beside(progress_line, on=not args.quiet),
            Progress(Work.CHECKING) as progress,
        ):
            progress_line.working(progress)
            spool = prepare(
                files,
                Path(folder) / "requests.jsonl",
                PrepareOptions(
                    id_prefix=args.id_prefix,
                    template=args.template,
                    max_requests=args.max_requests,
                    on_problem=say_problem,
                ),
                progress=progress,
            )
    except OSError as error:
        raise ConfigurationError(f"the requests cannot be copied to {beside}: {error.strerror}") from error
    for line in submission_summary(spool, prices):
        print(line)
    if not args.quiet:
        say_warnings(spool, prices)
        say_advice(spool, prices)
    return Exit.COMPLETE


def submission_summary(spool: Spool, prices: Prices) -> list[str]:
    """What a submission comes to, in lines for people."""
    total = sum(part.body_bytes for part in spool.slices)
    lines = [f"{plural(spool.requests, 'request')} in {plural(len(spool.slices), 'batch')}, {size(total)}"]
    lines += [
        f"  batch {number}: {plural(part.requests, 'request')}, {size(part.body_bytes)}"
        for number, part in enumerate(spool.slices, start=1)
    ]
    lines += [_of_model(spool.estimate, model, prices) for model in spool.estimate.input_tokens]
    return lines


def _of_model(estimate: Estimate, model: str, prices: Prices) -> str:
    """About what the requests to one model use and cost."""
    given, most = estimate.input_tokens[model], estimate.output_tokens_most[model]
    least = prices.price({model: Tokens(input=given)})
    all_of_it = prices.price({model: Tokens(input=given, output=most)})
    tokens = f"{escaped(model)}: about {given:,} input tokens, at most {most:,} output tokens"
    unsized = estimate.unsized.get(model, 0)
    if unsized:
        tokens += f" (without {unsized:,} of the images and documents, whose size the requests do not tell)"
    if least.unpriced:
        return f"{tokens}, no price (--prices gives one)"
    if unsized:
        return f"{tokens}, from {dollars(least.usd)} up at batch price"
    return f"{tokens}, from {dollars(least.usd)} to {dollars(all_of_it.usd)} at batch price"
