"""Exit codes, and the one way a command ends that is no error."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the exit code of a command means."""

    COMPLETE = 0  #: done; of `run`: every record of every batch is delivered
    INCOMPLETE = 1  #: something is incomplete or failed; what and why is on stderr and in the report
    USAGE = 2  #: what was asked for cannot work; nothing was sent
    INTERRUPTED = 130  #: Ctrl-C or SIGTERM; what came is kept


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Somebody pressed Ctrl-C or sent SIGTERM, and everything was closed in order."""
