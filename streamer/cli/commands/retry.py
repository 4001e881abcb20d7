"""`streamer retry`: the requests that failed and can be sent again, as a request file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.api.masking import escaped
from streamer.cli.exits import Exit
from streamer.cli.options import Subparsers, add_client_options, add_command, make_client, names
from streamer.cli.paths import directory_value, path_value
from streamer.cli.requestfiles import asked_by, say_problem
from streamer.cli.resultfiles import add_result_options
from streamer.cli.show.formatting import json_line, plural
from streamer.cli.stdio import say

if TYPE_CHECKING:
    from streamer.answers.index import Answer
    from streamer.answers.recordfiles import RecordFiles
    from streamer.answers.resubmission import Resubmission
    from streamer.api.client import Client

NAMED = 20  # requests that people see one by one; --json has all

DESCRIPTION = """
Look up what became of each request, and write those that can be sent again into a new request file: what expired, and
what failed with overloaded_error, api_error, timeout_error or rate_limit_error. Such requests were not billed. Of
several answers to a request one that succeeded counts. --submit sends the new file, too; without it nothing is sent.

What is not sent again is listed with its reason. --also takes in what you know to be worth another try: canceled,
billing_error when the account has money again, missing when the results are lost (what succeeded there was billed).
"""


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "retry",
        "write the requests that failed and can be sent again into a file",
        description=DESCRIPTION,
        examples="""
  streamer retry --requests requests.jsonl                       of all results in results/
  streamer retry ID1 ID2 --requests requests.jsonl --to again.jsonl
  streamer retry --requests requests.jsonl --also canceled,billing_error
  streamer retry --requests requests.jsonl --submit              prints the ids of the new batches
""",
    )
    add_result_options(parser)
    parser.add_argument(
        "--to",
        metavar="FILE",
        type=path_value,
        default="retry.jsonl",
        help="the new request file (default: retry.jsonl)",
    )
    parser.add_argument(
        "--also",
        metavar="TYPES",
        type=names,
        action="extend",
        default=[],
        help="send these again, too: canceled, missing, or types of errors, e.g. canceled,billing_error (repeatable)",
    )
    parser.add_argument("--submit", action="store_true", help="send the new file, too, as `streamer submit` does")
    parser.add_argument(
        "--project",
        metavar="DIR",
        type=directory_value,
        help="where --submit keeps the submission (default: the new file and .streamer)",
    )
    parser.add_argument("--json", action="store_true", help="lines of JSON: the requests that are left, and all in all")
    add_client_options(parser)
    parser.set_defaults(
        handler=handler, when_interrupted="if the new file is there, `streamer submit` sends it, or goes on with it"
    )


def handler(args: argparse.Namespace) -> int:
    """Look up, write, say what came of it."""
    from streamer.answers.index import Index
    from streamer.answers.output import refuse_input
    from streamer.answers.recordfiles import RecordFiles
    from streamer.answers.resubmission import write_retry
    from streamer.answers.sentagain import checked
    from streamer.cli.resultfiles import read_into, result_files
    from streamer.cli.show.progressline import ProgressLine
    from streamer.cli.show.terminal import shown_beside
    from streamer.errors import ConfigurationError
    from streamer.progress import Progress, Work

    also = checked(args.also)
    target = Path(args.to)
    if target.exists():
        raise ConfigurationError(
            f"{target} exists already: `streamer submit {target}` sends it, or goes on with it, and nothing twice; "
            "when its results are there too, name another file with --to"
        )
    found = result_files(args.named, args.results)
    refuse_input(args.to, [*args.requests, *found])
    client = make_client(args) if args.submit else None  # without a key nothing is written either
    drawn = not (args.quiet or (args.json and sys.stdout.isatty()))
    progress_line = ProgressLine()
    with Index(target.parent) as index, RecordFiles() as records, shown_beside(progress_line, on=drawn):
        read_into(index, found, progress_line)
        left = _Left(records, as_json=args.json, quiet=args.quiet)
        asked = asked_by(args, target.parent)
        with Progress(Work.CHOOSING) as progress:
            progress_line.working(progress)
            chosen = write_retry(progress.through(asked), index, target, also=also, leave=left)
    if args.json:
        counts = {
            "requests": chosen.requests,
            "succeeded": chosen.succeeded,
            "again": chosen.again,
            "left": chosen.left,
        }
        print(json_line({"event": "retry", **counts, "to": str(target) if chosen.again else None}))
    elif not args.quiet:
        left.say_rest()
        say_chosen(chosen, str(target))
    if client is not None and chosen.again:
        from streamer.cli.loop import run_async

        return run_async(_submit(args, client, target))
    return Exit.COMPLETE


async def _submit(args: argparse.Namespace, client: Client, target: Path) -> int:
    """Send the new file, and print the ids."""
    from streamer.cli.asking import whoever_is_there
    from streamer.cli.show.created import CreatedIds
    from streamer.cli.show.terminal import shown
    from streamer.project.options import SubmitOptions
    from streamer.project.submit import submit

    observer = CreatedIds(as_json=args.json)
    progress_line = observer.progress_line
    async with client, shown(progress_line, on=not args.quiet) as progress_line.redraw:
        await submit(
            client,
            [target],
            SubmitOptions(project=args.project, on_unknown=whoever_is_there(), on_problem=say_problem),
            observer=observer,
        )
    return Exit.COMPLETE


def say_chosen(chosen: Resubmission, target: str) -> None:
    """What became of the requests, in two lines for people."""
    from streamer.answers.sentagain import reason

    if chosen.left:
        kinds = "; ".join(f"{n:,} {escaped(what)}: {reason(what)}" for what, n in sorted(chosen.left.items()))
        say(f"{plural(sum(chosen.left.values()), 'request')} left as they are ({kinds})")
    again = sum(chosen.again.values())
    if again:
        say(f"{again:,} of {plural(chosen.requests, 'request')} can be sent again ({_counts(chosen.again)}): {target}")
    else:
        say(f"nothing to send again: {chosen.succeeded:,} of {plural(chosen.requests, 'request')} succeeded")


def _counts(words: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {escaped(what)}" for what, n in sorted(words.items()))


class _Left:
    """Says of each request that is not sent again why, and what the API said."""

    def __init__(self, records: RecordFiles, *, as_json: bool, quiet: bool) -> None:
        self._records = records
        self._as_json = as_json
        self._most = 0 if quiet else NAMED
        self._count = 0

    def __call__(self, custom_id: str, answer: Answer | None) -> None:
        """Say it, or count it where that would be too many."""
        from streamer.answers.sentagain import MISSING, reason

        self._count += 1
        if not self._as_json and self._count > self._most:
            return
        what = MISSING if answer is None else answer.word
        message = "" if answer is None else self._message(answer)
        if self._as_json:
            left = {"custom_id": custom_id, "what": what, "reason": reason(what), "message": message}
            print(json_line({"event": "left", **left}))
        else:
            say(f"{custom_id}: {what}{f', {message}' if message else ''}")

    def say_rest(self) -> None:
        """How many were not said one by one."""
        if self._count > self._most:
            say(f"and {self._count - self._most:,} more; --json has all")

    def _message(self, answer: Answer) -> str:
        """The API's own words for why the request failed."""
        from streamer.answers.sentagain import ERRORED
        from streamer.errors import RecordError
        from streamer.results.record import Record

        if answer.type != ERRORED:
            return ""
        try:
            result = Record("", "", ERRORED, self._records.record(answer)).result
        except RecordError:
            return ""
        return "" if result.error is None else result.error.error.message
