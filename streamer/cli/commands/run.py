"""`streamer run`: wait for batches and stream their results."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.cli.commands.process import handle_run, retries
from streamer.cli.exits import Exit
from streamer.cli.options import (
    Subparsers,
    add_client_options,
    add_command,
    add_fields_option,
    add_ids,
    add_prices_option,
    add_text_option,
    add_watching_options,
    make_client,
    names,
)
from streamer.cli.paths import directory_value, path_value, target_value
from streamer.cli.requestfiles import add_form_options, asked_by
from streamer.cli.resultfiles import DEFAULT_RESULTS
from streamer.cli.stdio import say

if TYPE_CHECKING:
    from streamer.report import BatchReport
    from streamer.sinks.base import Sink

DESCRIPTION = """
Wait until each batch has ended, and stream its results, record by record, to every target.

A file is called NAME.part while it grows and gets its name when the batch is proved complete by its counts. Whatever
interrupts a run, the same command again goes on: what is there is kept, nothing comes twice. What cannot be decoded
as a record is kept in a rejects file, and the batch counts as incomplete.

On a terminal, progress is drawn on stderr and a summary follows; elsewhere only what went wrong is said.
"""

EXAMPLES = """
  streamer run msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d
  streamer run --all                                         every batch whose results the API still has
  streamer run --ids-from ids.txt --concurrency 16
  streamer list --json | streamer run --ids-from -           ids from another command
  streamer run --all --to 'out/{batch_id}/results.jsonl'
  streamer run ID --only errored --to - | jq .custom_id      records on stdout
  streamer run ID --to callback:mine:store --checkpoint done.sqlite
  streamer run ID1 ID2 --requests requests.jsonl --to answers.jsonl --retry 2     failed requests again, one file
  streamer run --follow --report report.json                 until Ctrl-C, new batches too
"""


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    about = "wait for batches and stream their results"
    parser = add_command(subparsers, "run", about, description=DESCRIPTION, examples=EXAMPLES)
    add_ids(parser, "*")
    parser.add_argument("--all", action="store_true", help="every batch of the workspace whose results are still kept")
    parser.add_argument("--follow", action="store_true", help="keep watching the workspace for new batches")
    parser.add_argument(
        "--ids-from",
        metavar="FILE",
        type=path_value,
        help="a file of ids, one a line, or lines of JSON with an id; - is stdin",
    )
    parser.add_argument(
        "--to",
        metavar="TARGET",
        type=target_value,
        action="append",
        help="where records go (repeatable): a path with {batch_id} in it, - for stdout, SCHEME:... for another sink; "
        f"{DEFAULT_RESULTS} by default",
    )
    parser.add_argument(
        "--only",
        metavar="TYPES",
        type=_types,
        action="extend",
        help="types to deliver, e.g. succeeded,errored; all by default (repeatable)",
    )
    add_watching_options(parser)
    parser.add_argument(
        "--rejects",
        metavar="TEMPLATE",
        type=path_value,
        help="path of the files for what cannot be decoded; beside the results by default, as NAME.rejects.jsonl",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        type=path_value,
        help="remember there what a target that is no file has taken (SQLite), so that after a crash it gets the rest",
    )
    parser.add_argument(
        "--requests",
        metavar="FILE",
        type=path_value,
        action="append",
        help="the requests the batches were made from, in any form that `streamer submit` takes (repeatable): "
        "what they lack or add is then named",
    )
    add_form_options(parser)
    parser.add_argument(
        "--retry",
        metavar="N",
        type=retries,
        help="send what failed again, up to N times, and write one file with the answer to each request, once, "
        "in their order; needs --requests FILE and --to FILE",
    )
    add_fields_option(parser)
    add_text_option(parser)
    parser.add_argument(
        "--project",
        metavar="DIR",
        type=directory_value,
        help="with --retry: where what is sent is kept (default: the file's name and .streamer)",
    )
    parser.add_argument(
        "--no-usage",
        dest="usage",
        action="store_false",
        help="count no tokens: twice as fast on a fast line, as only the beginning of each record is looked at",
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON on stdout for each batch and for the run")
    parser.add_argument("--report", metavar="FILE", type=path_value, help="write the whole report there, as JSON")
    add_prices_option(parser)
    add_client_options(parser)
    parser.set_defaults(handler=handler, when_interrupted="run the same command again to go on")


def handler(args: argparse.Namespace) -> int:
    """Check what was asked for, then run."""
    from streamer.cli.loop import run_async
    from streamer.errors import ConfigurationError

    targets = list(dict.fromkeys(args.to or [DEFAULT_RESULTS]))
    if args.json and "-" in targets:
        raise ConfigurationError("--to - and --json both write to stdout; send the records to a file, or drop --json")
    for word in args.ids:
        if Path(word).suffix and not Path(word).exists():  # which no id has
            raise ConfigurationError(
                f"there is no file {word}, nor can a batch be called so; `streamer list` shows ids"
            )
        if not word.startswith("msgbatch_") and Path(word).is_file():
            raise ConfigurationError(
                f"{word} is a file, not a batch: for the ids in it say --ids-from {word}; a file of requests is made "
                f"into batches by `streamer submit {word}`"
            )
    ids = list(args.ids)
    if args.ids_from is not None:
        from streamer.cli.batchids import read_ids

        ids += read_ids(args.ids_from)
    if not (ids or args.all or args.follow):
        what = f"{args.ids_from} holds no ids" if args.ids_from is not None else "no batch was named"
        raise ConfigurationError(
            f"{what}: give ids (`streamer list` shows them), --ids-from FILE, --all for every batch, "
            "or --follow for new ones"
        )
    ids = list(dict.fromkeys(ids))
    if args.retry is not None:
        return handle_run(args, ids)
    if args.project or args.fields or args.text:
        raise ConfigurationError(
            "--project, --fields and --text are for one file of all answers: say --retry N, e.g. --retry 0"
        )
    return run_async(_run(args, ids, targets))


async def _run(args: argparse.Namespace, ids: list[str], targets: list[str]) -> int:
    from streamer.cli.show.reporter import Reporter
    from streamer.cli.show.runprogress import RunProgress
    from streamer.cli.show.terminal import shown
    from streamer.runs.options import RunOptions
    from streamer.runs.run import run
    from streamer.sinks.file import FileSink
    from streamer.sinks.stdout import StdoutSink
    from streamer.sinks.targets import sink_for

    reporter = Reporter(args, targets, args.requests or ())
    async with make_client(args) as client:
        sinks = [sink_for(target) for target in targets]
        pipes = [sink for sink in sinks if isinstance(sink, StdoutSink)]
        files = [target for target, sink in zip(targets, sinks, strict=True) if isinstance(sink, FileSink)]
        if args.checkpoint is not None:
            sinks = checkpointed(sinks, targets, args.checkpoint)
        options = RunOptions(
            everything=args.all,
            follow=args.follow,
            only=None if args.only is None else frozenset(args.only),
            concurrency=args.concurrency,
            poll_interval=args.poll_interval,
            usage=args.usage,
            rejects=args.rejects or rejects_beside(files[0] if files else DEFAULT_RESULTS),
            expected_ids=expected_ids(args) if args.requests else None,
        )
        stop = _Stop()

        def finished(report: BatchReport) -> None:
            if any(pipe.unread for pipe in pipes):
                stop()  # every batch goes to every target, so none can be delivered any more
            else:
                reporter.batch(report)

        progress = RunProgress(client, ids, finished)
        try:
            async with shown(progress, on=not (args.quiet or _stdout_is_the_terminal(args, targets))):
                report = await run(client, ids, sinks, options, observer=progress)
        except BaseException:  # a run that is followed always ends so, and what it did is worth saying
            if stop.asked():
                say("nobody reads standard output any more, so the run stopped; run the same again to have everything")
                return Exit.INCOMPLETE
            reporter.run(progress.report(), args.only)
            raise
    return reporter.run(report, args.only)


class _Stop:
    """Ends the task it was made in, which is told from its being cancelled by somebody else."""

    def __init__(self) -> None:
        import asyncio

        self._task = asyncio.current_task()
        self._asked = False

    def __call__(self) -> None:
        """End it, once."""
        if self._task is not None and not self._asked:
            self._asked = True
            self._task.cancel()

    def asked(self) -> bool:
        """Whether it was to be ended; then it goes on from here."""
        return self._asked and self._task is not None and not self._task.uncancel()


def _stdout_is_the_terminal(args: argparse.Namespace, targets: list[str]) -> bool:
    """Whether what goes to stdout shows on the terminal already; progress drawn there too would tear it."""
    return sys.stdout.isatty() and (args.json or "-" in targets)


def expected_ids(args: argparse.Namespace) -> Iterator[str]:
    """The custom_id of each request in the files of --requests.

    Raises:
        ConfigurationError: a file cannot be read, or something in it is no request.
    """
    return (asked.custom_id for asked in asked_by(args, Path(tempfile.gettempdir())))


def checkpointed(sinks: Sequence[Sink], targets: Sequence[str], path: str) -> list[Sink]:
    """The sinks, of which the one that cannot tell itself what it holds remembers it in the file at `path`.

    Raises:
        ConfigurationError: there is no such sink, or more than one for the one file.
    """
    from streamer.errors import ConfigurationError
    from streamer.sinks.checkpoint import CheckpointedSink

    forgetful = [target for target, sink in zip(targets, sinks, strict=True) if not sink.durable]
    if len(forgetful) != 1:
        which = f"{len(forgetful)} do ({', '.join(forgetful)})" if forgetful else "files know themselves what they hold"
        raise ConfigurationError(f"--checkpoint is for exactly one target that needs it, and {which}")
    return [
        sink if sink.durable else CheckpointedSink(sink, path, name=target)
        for target, sink in zip(targets, sinks, strict=True)
    ]


def rejects_beside(target: str) -> str:
    """Where rejects go when nobody says: beside the records.

    >>> rejects_beside("out/{batch_id}.jsonl")
    'out/{batch_id}.rejects.jsonl'
    """
    return target.removesuffix(".jsonl") + ".rejects.jsonl"


def _types(text: str) -> list[str]:
    from streamer.api.types import RESULT_TYPES

    types = names(text)
    if unknown := set(types).difference(RESULT_TYPES):
        raise argparse.ArgumentTypeError(f"{min(unknown)!r} is no type of record; they are {', '.join(RESULT_TYPES)}")
    return types
