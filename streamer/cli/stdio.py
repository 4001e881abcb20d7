"""The three standard streams: there whatever started us, written to in one way.

A process may be started without any of them. A file or a socket that is opened later would get the number of a missing
one, and what is printed would end up in it. uvloop even ends the process when a socket of its own has such a number.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TypeGuard

from streamer.api.masking import escaped, masked

STDIN, STDOUT, STDERR = 0, 1, 2
_STDOUT_ERRORS = (errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def open_missing() -> None:
    """Open what is missing of stdin, stdout and stderr; to be called before anything else is opened.

    stdin is empty then, and stderr goes nowhere. stdout is there but cannot be written, so that a command which has
    something to say there fails as it should rather than saying it to nobody.
    """
    for descriptor, flags in ((STDIN, os.O_RDONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            # The system gives the lowest number that is free, and those below are taken by now.
            os.set_inheritable(os.open(os.devnull, flags), True)
    # Python has no stream for a descriptor that was missing when it started.
    sys.stdin = sys.stdin or open(STDIN, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the process's life
    sys.stdout = sys.stdout or open(STDOUT, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(STDERR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def say(text: str) -> None:
    """One line for people, on stderr; whatever it is about, no key of the API is in it."""
    print(f"streamer: {escaped(masked(text, ()))}", file=sys.stderr, flush=True)


def stdout_failed(error: Exception) -> TypeGuard[OSError]:
    """Whether an error can only mean that stdout does not take what is printed: a full disk, or nothing to write to.

    All else that can be written to is a sink or a report, whose errors say so themselves.
    """
    return isinstance(error, OSError) and error.filename is None and error.errno in _STDOUT_ERRORS


def forget_stdout() -> None:
    """Nobody reads stdout any more: let what is buffered for it vanish, or Python complains of it on its way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
