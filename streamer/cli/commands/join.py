"""`streamer join`: answers in the order of their requests, in one file."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.cli.exits import Exit
from streamer.cli.options import Subparsers, add_command, add_fields_option, add_text_option
from streamer.cli.paths import target_value
from streamer.cli.requestfiles import asked_by
from streamer.cli.resultfiles import add_result_options
from streamer.cli.show.formatting import by_type, json_line, plural
from streamer.cli.stdio import say

if TYPE_CHECKING:
    from streamer.answers.join import Joined

DESCRIPTION = """
Write the answer to each request, once, in the order of the requests, into one file: lines of JSON, or one JSON array
when its name ends in .json. Of several answers to a request one that succeeded counts. Memory does not grow with
the number of answers.

An answer is its record as it came. With --fields it has an `input` with those fields of the request: paths such as
params.model or params.messages.0.content, or columns of the CSV the requests were made of.
"""


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "join",
        "put answers in the order of their requests, in one file",
        description=DESCRIPTION,
        examples="""
  streamer join --requests requests.jsonl --to answers.jsonl            of all results in results/
  streamer join ID1 ID2 --requests requests.jsonl --to answers.json
  streamer join --requests articles.csv --template params.json --fields title --to answers.jsonl
  streamer join --requests requests.jsonl --to texts.json --text        {"custom_id": "text", ...}
  streamer join --requests requests.jsonl --to - | jq -r .result.type | sort | uniq -c
""",
    )
    add_result_options(parser)
    parser.add_argument(
        "--to",
        metavar="TARGET",
        type=target_value,
        required=True,
        help="the file, a JSON array if it ends in .json; - is stdout",
    )
    add_fields_option(parser)
    add_text_option(parser)
    parser.add_argument("--json", action="store_true", help="in the end a line of JSON on stdout")
    parser.set_defaults(handler=handler, when_interrupted="nothing was written")


def handler(args: argparse.Namespace) -> int:
    """Read results, then requests, and write."""
    from streamer.answers.fields import Fields
    from streamer.answers.index import Index
    from streamer.answers.join import join
    from streamer.answers.output import STDOUT, Output, refuse_input, refuse_no_file
    from streamer.answers.text import TextForm, refuse_fields
    from streamer.cli.resultfiles import read_into, result_files
    from streamer.cli.show.progressline import ProgressLine
    from streamer.cli.show.terminal import shown_beside
    from streamer.errors import ConfigurationError
    from streamer.progress import Progress, Work

    if args.json and args.to == STDOUT:
        raise ConfigurationError("--to - and --json both write to stdout; send the answers to a file, or drop --json")
    if args.text:
        refuse_fields(args.to, args.fields)
    found = result_files(args.named, args.results)
    refuse_no_file(args.to)
    refuse_input(args.to, [*args.requests, *found])
    scratch = Path() if args.to == STDOUT else Path(args.to).parent
    drawn = not (args.quiet or (args.to == STDOUT and sys.stdout.isatty()))
    progress_line = ProgressLine()
    text = TextForm.of(args.to) if args.text else None
    with Output(args.to, keyed=args.text) as output, Index(scratch) as index, shown_beside(progress_line, on=drawn):
        read_into(index, found, progress_line)
        asked = asked_by(args, scratch)
        first = next(asked, None)
        fields = Fields(args.fields, first) if args.fields else None
        everything = itertools.chain([] if first is None else [first], asked)
        with Progress(Work.JOINING) as progress:
            progress_line.working(progress)
            joined = join(progress.through(everything), index, output, fields=fields, text=text)
    if args.json:
        print(json_line({"event": "join", "complete": not joined.missing, "answers": joined.types, **_counts(joined)}))
    if joined.missing or not args.quiet:
        for line in joined_summary(joined, args.to):
            say(line)
    return Exit.INCOMPLETE if joined.missing else Exit.COMPLETE


def joined_summary(joined: Joined, target: str) -> list[str]:
    """What joining came to, for people."""
    from streamer.cli.show.summary import left_out, unanswered

    answers = sum(joined.types.values())
    where = "" if target == "-" else f" in {target}"
    summary = [f"{plural(answers, 'answer')}{where} ({by_type(joined.types)})" if answers else "no answers"]
    if joined.missing:
        summary.insert(0, unanswered(joined.missing, joined.missing_ids))
    if joined.unknown:
        summary.append(left_out(joined.unknown))
    return summary


def _counts(joined: Joined) -> dict[str, object]:
    return {
        "requests": joined.requests,
        "missing": joined.missing,
        "missing_ids": joined.missing_ids,
        "unknown": joined.unknown,
    }
