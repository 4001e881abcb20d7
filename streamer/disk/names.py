"""Names that no file can have, told before any work is done for it."""

from __future__ import annotations

import os
from pathlib import Path

from streamer.errors import ConfigurationError

NAME_BYTES = 255  # that a name may have on the file systems in use
PART = ".part"  # what a file's name ends in until it is whole


def check_name(path: str | Path) -> None:
    """See that a file may be called so, also while it grows.

    Raises:
        ConfigurationError: one of the path's names is too long, or it holds a NUL.

    >>> check_name("results/" + "x" * 251)
    Traceback (most recent call last):
    streamer.errors.ConfigurationError: no file can be called 'xxxxxxxxxxxxxxxxxxxxxxxx...': that and '.part' have \
256 bytes, and a name may have 255; choose a shorter one
    """
    *directories, name = Path(path).parts or ("",)
    if "\0" in str(path):
        raise ConfigurationError(f"no file can be called {str(path)!r}: it holds a NUL character")
    for part, suffix in (*((directory, "") for directory in directories), (name, PART)):
        size = len(os.fsencode(part + suffix))
        if size > NAME_BYTES:
            also = f" and {suffix!r} have" if suffix else " has"
            raise ConfigurationError(
                f"no file can be called {part[:24] + '...'!r}: that{also} {size:,} bytes, and a name may have "
                f"{NAME_BYTES}; choose a shorter one"
            )
