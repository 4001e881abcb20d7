"""Packages that are installed on request, and how to have them here."""

from __future__ import annotations

DISTRIBUTION = "batchstreamer"  # what is called streamer on the package index is somebody else's


def how_to_install(extra: str) -> str:
    """The command that adds an extra of ours to the environment that this runs in.

    The distribution is asked for by what provides the package, as somebody may have built it under a name of their own.

    >>> how_to_install("cli")
    "pip install 'batchstreamer[cli]'"
    """
    from importlib.metadata import packages_distributions

    named = packages_distributions().get("streamer", [DISTRIBUTION])
    return f"pip install '{named[0]}[{extra}]'"
