"""Runs a command of `streamer` as a process of its own and measures it: the most memory it held, how long it took."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.command import COMMAND, KEY, environment

# A process begins with the memory of the one that started it, and the system counts that as its peak. So a small one
# stands in between.
LAUNCHER = """
import json, os, sys, time
begun = time.monotonic()
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
figures = [os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024, time.monotonic() - begun]
with open(sys.argv[1], "w") as file:
    json.dump(figures, file)
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a command did and what it took.

    Attributes:
        code: its exit code.
        complaints: what it said on stderr.
        report: its report on the whole, as `--json` prints it.
        peak: the most memory it held at once, in bytes.
        seconds: how long it took.
    """

    code: int
    complaints: str
    report: dict[str, Any]
    peak: int
    seconds: float

    def __str__(self) -> str:
        if self.report["event"] == "process":
            what = f"{self.report['requests']:,} requests"
        else:
            bytes_, records = self.report["bytes"], sum(self.report["records"].values())
            what = f"{records:,} records, {bytes_ / 1e6:,.0f} MB ({bytes_ / 1e6 / self.seconds:,.0f} MB/s)"
        return f"{what} in {self.seconds:.1f} s, peak memory {self.peak / 1e6:.1f} MB"


def measured(*words: str, cwd: Path, base_url: str, command: str = "run") -> Measured:
    """Run a command of `streamer` with `words` to its end."""
    figures = cwd / "figures.json"
    launcher = [sys.executable, "-S", "-c", LAUNCHER, str(figures)]
    done = subprocess.run(
        [*launcher, *COMMAND, command, "--json", *words],
        cwd=cwd,
        env=environment(base_url, KEY),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    code, peak, seconds = json.loads(figures.read_text())
    report = json.loads(done.stdout.splitlines()[-1])
    return Measured(code=code, complaints=done.stderr, report=report, peak=peak, seconds=seconds)
