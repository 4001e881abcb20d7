"""Files of results that a command is to read: named one by one, by batch, or all that are there."""

from __future__ import annotations

import argparse
import glob
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.cli.paths import path_value
from streamer.cli.requestfiles import add_form_options

if TYPE_CHECKING:
    from streamer.answers.index import Index
    from streamer.cli.show.progressline import ProgressLine
    from streamer.sinks.template import PathTemplate

DEFAULT_RESULTS = "results/{batch_id}.jsonl"
FIELD = "{batch_id}"


def add_result_options(parser: argparse.ArgumentParser) -> None:
    """Which results, and of which requests."""
    parser.add_argument(
        "named",
        metavar="RESULT",
        type=path_value,
        nargs="*",
        help="a file of results, or the id of a batch whose file --results names; all such files by default",
    )
    parser.add_argument(
        "--results",
        metavar="TEMPLATE",
        type=path_value,
        default=DEFAULT_RESULTS,
        help=f"where the results of each batch are (default: {DEFAULT_RESULTS})",
    )
    parser.add_argument(
        "--requests",
        metavar="FILE",
        type=path_value,
        action="append",
        required=True,
        help="the requests, in any form that `streamer submit` takes (repeatable); in the same order as then",
    )
    add_form_options(parser)


def result_files(named: Sequence[str], template: str) -> list[Path]:
    """The files that are meant.

    Args:
        named: paths of files, and ids of batches; nothing means every file that the template names.
        template: where the file of a batch is, with `{batch_id}`.

    Raises:
        ConfigurationError: there is no such file, or none at all.
    """
    from streamer.errors import ConfigurationError
    from streamer.sinks.template import PathTemplate

    place = PathTemplate(template)
    if named:
        return list(dict.fromkeys(_meant(name, place) for name in named))
    parts = str(Path(template)).split(FIELD)
    pattern = "*".join(glob.escape(part) for part in parts)
    # The id stands at its first place, and the same at all others; it has no dot, as `x.rejects` would.
    before, after, *more = map(re.escape, parts)
    final = re.compile("(?P<id>[^./]+)".join([before, "(?P=id)".join([after, *more])]))
    names = sorted(glob.glob(pattern))  # noqa: PTH207 - the pattern may begin at the root
    found = [Path(name) for name in names if final.fullmatch(name)]
    if not found:
        raise ConfigurationError(
            f"there are no results in {template}; name files of results, or batches with --results"
        )
    return found


def read_into(index: Index, files: Sequence[Path], progress_line: ProgressLine) -> None:
    """Have the records of result files in an index, and let it be followed.

    Raises:
        ConfigurationError: a file cannot be read, or holds something else than records.
        StorageError: the index cannot be kept.
    """
    from streamer.progress import Progress, Work

    with Progress(Work.READING, total=sum(path.stat().st_size for path in files)) as progress:
        progress_line.working(progress)
        for path in files:
            index.add(path, usage=False, progress=progress)
        index.settle()


def _meant(name: str, place: PathTemplate) -> Path:
    from streamer.disk.directory import part_of
    from streamer.errors import ConfigurationError
    from streamer.sinks.template import PLAIN

    path = Path(name)
    if path.is_file():
        return path
    by_id = place.path(name)
    if PLAIN.fullmatch(name) and by_id.is_file():
        return by_id
    growing = part_of(by_id)
    if PLAIN.fullmatch(name) and growing.is_file():
        raise ConfigurationError(f"the results of {name} are not complete: `streamer run {name}` goes on with them")
    where = f", and no {by_id}" if PLAIN.fullmatch(name) else ""
    raise ConfigurationError(f"there is no file {name}{where}; `streamer run` fetches the results of a batch")
