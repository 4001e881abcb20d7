"""Request files that a command is to read: how their names and their forms are understood."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.cli.paths import path_value
from streamer.cli.stdio import say

if TYPE_CHECKING:
    from streamer.answers.asked import Asked
    from streamer.requests.problems import Problem
    from streamer.requests.reading import RequestFile


def add_form_options(parser: argparse.ArgumentParser) -> None:
    """How request files are read that do not hold whole requests."""
    parser.add_argument(
        "--id-prefix",
        metavar="TEXT",
        help="what the custom_ids of bare params begin with, which go on with the number of the request (request-)",
    )
    parser.add_argument(
        "--template",
        metavar="FILE",
        type=path_value,
        help="the files hold data, as CSV or as JSON objects, and this makes requests of it: params as JSON (or a "
        "whole request), with {column} in its strings where the value of a column or key goes",
    )


def request_files(names: Sequence[str]) -> list[RequestFile]:
    """The files that are meant; `-` is stdin."""
    return [sys.stdin.buffer if name == "-" else name for name in names]


def asked_by(args: argparse.Namespace, scratch: Path) -> Iterator[Asked]:
    """The requests in the files of --requests, in order, each with the custom_id it was sent with.

    Args:
        args: the words of the command.
        scratch: a directory for temporary files, which have no names.

    Raises:
        ConfigurationError: a file cannot be read, or something in it is no request.
    """
    from streamer.answers.asked import asked_in_files

    return asked_in_files(
        request_files(args.requests),
        scratch=scratch,
        on_problem=say_problem,
        id_prefix=args.id_prefix,
        template=args.template,
    )


def say_problem(problem: Problem) -> None:
    """Say what is wrong with a request file."""
    say(str(problem))
