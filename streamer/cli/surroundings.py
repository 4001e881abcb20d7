"""What surrounds a command and would stop it halfway: looked at, or put right, before it begins."""

from __future__ import annotations

import argparse
import os
import resource
from collections.abc import Iterator

MOST_FILES = 65_536  # open files; a limit without end would make some programs walk through all numbers


def raise_limit() -> None:
    """Let this process have as many files open as it may; what a shell sets by default is a fraction of that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def check(args: argparse.Namespace) -> None:
    """See that there is a working directory, and that what JSON has to tell of can be told in it.

    Raises:
        ConfigurationError: it cannot.
    """
    from streamer.errors import ConfigurationError

    try:
        os.getcwd()  # noqa: PTH109 - whether there is one, not which
    except FileNotFoundError as error:
        raise ConfigurationError(
            "the working directory is gone: it was removed or moved away; change to one that is there"
        ) from error
    if getattr(args, "json", False) or getattr(args, "report", None):
        for word in _words(args):
            try:
                word.encode()
            except UnicodeEncodeError as error:
                raise ConfigurationError(
                    f"{word!r} is no UTF-8, in which --json and --report tell of it; give it another name, or leave "
                    f"these out"
                ) from error


def _words(args: argparse.Namespace) -> Iterator[str]:
    for value in vars(args).values():
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str):
                yield word
