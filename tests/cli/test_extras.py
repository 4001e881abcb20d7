"""The extra that is advised is ours, for the Python that runs."""

from __future__ import annotations

import importlib.metadata
import shlex
import sys

import pytest

from streamer.cli.extras import how_to_install


@pytest.mark.parametrize(
    ("installed", "advised"),
    [
        ([], "batchstreamer[cli]"),
        (["batchstreamer"], "batchstreamer[cli]"),
        (["streamer", "batchstreamer"], "batchstreamer[cli]"),  # a stranger's, which has a package of our name
        (["our-fork"], "our-fork[cli]"),
    ],
)
def test_the_right_distribution_is_named(installed: list[str], advised: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: {"streamer": installed})
    assert shlex.split(how_to_install("cli")) == [sys.executable, "-m", "pip", "install", advised]
