"""What importing the package does, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal, get_origin

import streamer

OPTIONAL = (
    "rich",
    "shtab",
    "isal",
    "anthropic",
    "pytest",
    "uvloop",
    "streamer.emulator",
    "streamer.cli",
)

LOOK = f"""
import asyncio, logging, sys
before = asyncio.get_event_loop_policy() if sys.version_info < (3, 14) else None
import streamer
print([name for name in {OPTIONAL!r} if name in sys.modules])
print(logging.getLogger().handlers, [type(h).__name__ for h in logging.getLogger("streamer").handlers])
import signal
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
print(before is None or asyncio.get_event_loop_policy() is before)
"""


def test_importing_takes_in_nothing_optional_and_changes_nothing_global() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[]", "[] ['NullHandler']", "True", "True"]


def test_every_public_name_is_there_and_documented() -> None:
    for name in streamer.__all__:
        public = getattr(streamer, name)
        assert public.__doc__ or get_origin(public) is Literal, name  # an alias has no place for a docstring
    assert len(set(streamer.__all__)) == len(streamer.__all__)


def test_every_error_is_a_streamer_error() -> None:
    errors = [getattr(streamer, name) for name in streamer.__all__ if name.endswith("Error")]
    assert len(errors) > 10
    assert all(issubclass(error, streamer.StreamerError) for error in errors)
