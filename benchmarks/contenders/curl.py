"""curl: as fast as bytes can be had from a socket without looking at them. Times are its own, without its start."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from time import perf_counter

from benchmarks.job import Job, Stopwatch


def _fetch(job: Job, output: str) -> float:
    """Seconds from asking to the last byte."""
    command = ["curl", "--silent", "--show-error", "--fail", "--compressed", "--output", output]
    command += ["--cacert", job.certificate] if job.certificate else []
    command += ["--write-out", "%{time_total}", job.results_url]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return float(done.stdout)


def to_null(job: Job, watch: Stopwatch) -> None:
    """To /dev/null; decompressed when the server compresses."""
    watch.took(_fetch(job, os.devnull))


def to_file(job: Job, watch: Stopwatch) -> None:
    """To a file; nobody waits until the disk has it."""
    watch.took(_fetch(job, str(Path(job.directory) / "curl.jsonl")))


def to_durable_file(job: Job, watch: Stopwatch) -> None:
    """To a file, and wait until the disk has it."""
    path = Path(job.directory) / "curl.jsonl"
    seconds = _fetch(job, str(path))
    begun = perf_counter()
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    watch.took(seconds + perf_counter() - begun)
