"""Run contenders, each in a process of its own, in rounds, so that what disturbs the machine disturbs all alike."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.contenders import Entrant
from benchmarks.job import Job
from benchmarks.results import Results, Row
from benchmarks.worker import Order

LONGEST_PASS = 600.0  # seconds after which a contender is given up


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """One contender in one case, to be run once a round."""

    row: Row
    entrant: Entrant
    job: Job
    neighbour: bool = False


class Bench:
    """Runs heats and keeps what they gave.

    Args:
        rounds: how often each contender runs in each case.
        seconds: how long one run lasts at least.
        loop: the event loop of asynchronous contenders.
        certificate: the certificate authority to trust when the server speaks HTTPS.
        output: where contenders may write; it decides which file system is measured.
        say: is told what happens.
    """

    def __init__(
        self, *, rounds: int, seconds: float, loop: str, certificate: str, output: Path, say: Callable[[str], None]
    ) -> None:
        self.results = Results()
        self._output = output
        self._certificate = certificate
        self._rounds = rounds
        self._seconds = seconds
        self._loop = loop
        self._say = say

    def run(self, heats: Sequence[Heat], *, rounds: int | None = None, seconds: float | None = None) -> None:
        """Run all heats, interleaved; contenders that cannot run are noted and left out."""
        able = [heat for heat in heats if self._able(heat.entrant)]
        self.results.rows += [heat.row for heat in able]
        for number in range(rounds or self._rounds):
            for heat in able:
                self._say(f"round {number + 1}: {heat.row.scenario}, {heat.row.case}: {heat.entrant.name}")
                figures = self._once(heat, self._seconds if seconds is None else seconds)
                if figures is not None:
                    heat.row.add(figures)
        self.results.rows = [row for row in self.results.rows if row.samples]

    def _able(self, entrant: Entrant) -> bool:
        if entrant.missing:
            self.results.skipped[entrant.name] = f"needs {', '.join(entrant.missing)}"
        return not entrant.missing

    def _once(self, heat: Heat, seconds: float) -> dict[str, float] | None:
        with tempfile.TemporaryDirectory(dir=self._output, prefix="out-") as directory:
            order = Order(
                target=heat.entrant.target,
                job=msgspec.structs.replace(heat.job, directory=directory, certificate=self._certificate),
                seconds=seconds,
                neighbour=heat.neighbour,
                loop=self._loop,
            )
            try:
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.worker"],
                    input=msgspec.json.encode(order),
                    capture_output=True,
                    check=True,
                    timeout=LONGEST_PASS,
                    env=self._environment(),
                )
            except subprocess.TimeoutExpired:
                self.results.skipped[heat.entrant.name] = f"{heat.row.case}: not done in {LONGEST_PASS:g} s"
                return None
            except subprocess.CalledProcessError as failed:
                said = failed.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                self.results.skipped[heat.entrant.name] = f"{heat.row.case}: {said[0]}"
                return None
        return msgspec.json.decode(done.stdout, type=dict[str, float])

    def _environment(self) -> dict[str, str]:
        """Ours, but for proxies; the TLS of Python and httpx takes its authorities from SSL_CERT_FILE."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return {**kept, "SSL_CERT_FILE": self._certificate}
