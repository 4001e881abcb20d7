"""Paths on the command line: what the shell would have made of them, had they not been quoted or stood after a `=`."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

_VARIABLE = re.compile(r"\$(\w+|\{\w+\})")
_SCHEMED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)  # two letters at least: C:\results is a path


def path_value(text: str) -> str:
    """The value of an option that names a file, with `~` at its beginning replaced by the home directory.

    Args:
        text: what was typed; `-` is a standard stream.

    Raises:
        argparse.ArgumentTypeError: it names a variable, which nobody would replace, or the home of nobody.
    """
    if os.path.lexists(text):  # which, unlike a Path, has nothing against a name that no file can have
        return text  # whatever its name
    if (variable := _VARIABLE.search(text)) is not None:
        raise argparse.ArgumentTypeError(
            f"{text!r} names {variable[0]}, which the shell has not replaced, as it does not between single quotes; "
            "write the path itself"
        )
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser()) + "/" * text.endswith("/")
    except RuntimeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} begins with the home directory of a user that is not known here; "
            f"for a file of that name write ./{text}"
        ) from None


def directory_value(text: str) -> str:
    """The same for an option that names a directory."""
    return path_value(text)


def target_value(text: str) -> str:
    """The same for `--to`, where `SCHEME:...` is no path, but for what is after `file:`."""
    schemed = _SCHEMED.fullmatch(text)
    if schemed is None:
        return path_value(text)
    scheme, rest = schemed.groups()
    return f"{scheme}:{path_value(rest)}" if scheme == "file" else text
