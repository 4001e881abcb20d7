"""Packages that are installed on request, and how to have them here."""

from __future__ import annotations

import shlex
import sys

DISTRIBUTION = "batchstreamer"  # what is called streamer on the package index is somebody else's


def how_to_install(extra: str) -> str:
    """The command that adds an extra of ours to the environment that this runs in, whichever is active.

    Ours may be installed under another name, by a fork; that of a stranger that also has a `streamer` is not taken.
    """
    from importlib.metadata import packages_distributions

    names = packages_distributions().get("streamer", [])
    name = DISTRIBUTION if DISTRIBUTION in names or not names else names[0]
    return f"{shlex.quote(sys.executable)} -m pip install '{name}[{extra}]'"
