"""What importing the package does, and what it leaves alone."""

from __future__ import annotations

import json
import pydoc
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


EVERYTHING = """
import importlib, json, pkgutil, streamer
from inspect import isfunction
names = [found.name for found in pkgutil.walk_packages(streamer.__path__, "streamer.") if "__main__" not in found.name]
for name in names:
    importlib.import_module(name)
others = []
for name in streamer.__all__:
    one = getattr(streamer, name)
    if getattr(importlib.import_module(streamer._HOME[name]), name) is not one or type(one).__name__ == "module":
        others.append(name)
functions = [name for name in streamer.__all__ if isfunction(getattr(streamer, name))]
print(json.dumps([names, others, functions, dir(streamer), sorted(streamer.__all__)]))
"""


def test_every_module_can_be_imported_and_hides_no_public_name() -> None:
    """In a fresh interpreter, as importing `streamer.run` would put a module where a function was."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", EVERYTHING], capture_output=True, text=True, check=True)
    modules, others, functions, shown, public = json.loads(done.stdout)
    assert len(modules) > 100
    assert others == []
    assert shown == public
    assert {"run", "stream", "process", "submit", "sink_for"} <= set(functions)
    assert [name for name in functions if f"streamer.{name}" in modules] == []


def test_help_says_what_a_sink_promises() -> None:
    shown = pydoc.plain(pydoc.render_doc(streamer.Sink)) + pydoc.plain(pydoc.render_doc(streamer.Writer))
    for words in ("durable: True when", "destination: where the records", "committed: True when", "held: what is"):
        assert words in shown


def test_every_public_name_is_there_and_documented() -> None:
    for name in streamer.__all__:
        public = getattr(streamer, name)
        assert public.__doc__ or get_origin(public) is Literal, name  # an alias has no place for a docstring
    assert len(set(streamer.__all__)) == len(streamer.__all__)


def test_every_error_is_a_streamer_error() -> None:
    errors = [getattr(streamer, name) for name in streamer.__all__ if name.endswith("Error")]
    assert len(errors) > 10
    assert all(issubclass(error, streamer.StreamerError) for error in errors)
