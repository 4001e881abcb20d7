"""The examples of the vendor's guides, run as they are printed against the emulator, and our own command beside each.

What differs from print: models that are there today, shorter sleeps, and the indentation that one mirror had lost.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.emulator.running import RunningEmulator, running
from tests.cli.command import environment, streamer

Ran = Callable[..., str]


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[RunningEmulator]:
    """Batches take half a second, or as long as the test says, and nothing in them fails."""
    duration = getattr(request, "param", 0.5)
    with running(duration=duration, duration_spread=0, cancel_duration=0.3, retry_after=0) as emulator:
        yield emulator


@pytest.fixture
def example(tmp_path: Path, service: RunningEmulator) -> Ran:
    """Runs a printed example of Python, or of the shell, in a folder of its own; what it prints."""

    def run(text: str, shell: bool = False) -> str:
        file = tmp_path / ("example.sh" if shell else "example.py")
        file.write_text(text.replace("https://api.anthropic.com", service.base_url))
        done = subprocess.run(
            ["/bin/sh" if shell else sys.executable, file],
            cwd=tmp_path,
            env=environment(service.base_url, service.api_key),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def ours(tmp_path: Path, service: RunningEmulator) -> Ran:
    """Runs our own command in the same folder; what it prints."""

    def run(*words: str, code: int = 0) -> str:
        done = streamer(*words, cwd=tmp_path, base_url=service.base_url, key=service.api_key)
        assert done.returncode == code, done.stderr
        assert code or not done.stderr, done.stderr
        return done.stdout

    return run


def jq(program: str, text: str) -> str:
    """What `jq -r` makes of some JSON."""
    return subprocess.run(["jq", "-r", program], input=text, capture_output=True, text=True, check=True).stdout
