"""A command that is left to itself until it ends, or until it is time to kill it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.cli.command import COMMAND

LONGEST = 120.0  # seconds that one run may take
GLANCE = 0.003  # seconds between two looks at whether it is time


def started(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], command: Sequence[str] = COMMAND
) -> subprocess.Popen[bytes]:
    """Begin a run."""
    return subprocess.Popen(
        [*command, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def killed(process: subprocess.Popen[bytes], time_to: Callable[[], bool]) -> bool:
    """Kill a run when it is time to; whether it was killed before it came to its end.

    Raises:
        AssertionError: nobody killed it, and it came to no good end.
    """
    with process:
        limit = time.monotonic() + LONGEST
        struck = False
        while process.poll() is None and not struck:
            if time.monotonic() > limit:
                process.kill()
                raise AssertionError(f"a run did not end within {LONGEST:g} s")
            struck = time_to()
            if struck:
                process.kill()
            time.sleep(GLANCE)
        process.wait()
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert process.returncode == 0 or struck, f"a run that nobody killed ended with {process.returncode}: {said}"
    return process.returncode != 0
