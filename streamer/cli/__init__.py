"""The command line: what a person types, and what they are told.

Data goes to stdout, everything else to stderr. Each command is one module with `register(subparsers)`; nothing slow is
imported before it is known to be needed, so that `--help` answers at once.
"""

from __future__ import annotations

from streamer.cli.program import main

__all__ = ["main"]
