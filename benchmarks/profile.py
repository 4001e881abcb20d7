"""Where our own ways spend their CPU time: `python -m benchmarks.profile` prints a share for each part of the path.

A sampling profiler of a few lines: the system's timer interrupts after every millisecond of CPU time, and the innermost
frame that belongs to a known part gets what the event loop's thread has used since. Time in C counts for the Python
function that called it. asyncio's own loop is used, as uvloop's socket calls have no Python frame.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import msgspec

from benchmarks.bodies import Bodies
from benchmarks.contenders import COPY, COPY_WITH_USAGE, EACH, HEADS, TYPED
from benchmarks.job import Contender, Job, Stopwatch
from benchmarks.server import serving
from benchmarks.worker import Order, find, once

INTERVAL = 0.001  # seconds of CPU time
PASSES = 5
RECORDS, RECORD_BYTES = 100_000, 2_000

#: Parts of the path by a piece of their files' paths; the first that fits counts.
PARTS = {
    "/streamer/results/framing": "framing",
    "/streamer/sources/unpacking": "decompression",
    "/streamer/sources/encoding": "decompression",
    "/streamer/results/record": "decoding",
    "/streamer/results/block": "decoding",
    "/streamer/results/sniffing": "sniffing",
    "/streamer/results/accounting": "accounting",
    "/streamer/sinks/": "sink",
    "/streamer/": "pipeline",
    "/benchmarks/contenders/": "the user's loop",
    "/aiohttp/": "aiohttp",
    "/asyncio/selector_events": "socket",
    "/selectors.py": "socket",
    "/asyncio/": "event loop",
}


class _Samples:
    """CPU seconds of the event loop's thread by part."""

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()
        self._last = time.thread_time()

    def take(self, number: int, frame: FrameType | None) -> None:
        """Called by the timer's signal."""
        now = time.thread_time()
        self.parts[_part(frame)] += now - self._last  # type: ignore[assignment]  # a Counter of seconds
        self._last = now


def _part(frame: FrameType | None) -> str:
    while frame is not None:
        path = frame.f_code.co_filename
        part = next((part for piece, part in PARTS.items() if piece in path), None)
        if part is not None:
            return part
        frame = frame.f_back
    return "other"


async def _passes(contender: Contender, job: Job) -> Counter[str]:
    await _once(contender, job)  # connections, imports, caches
    samples = _Samples()
    begun = time.process_time(), time.thread_time()
    signal.signal(signal.SIGPROF, samples.take)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    for _ in range(PASSES):
        await _once(contender, job)
    signal.setitimer(signal.ITIMER_PROF, 0)
    in_threads = (time.process_time() - begun[0]) - (time.thread_time() - begun[1])
    samples.parts["other threads"] += in_threads  # type: ignore[assignment]  # a Counter of seconds
    return samples.parts


async def _once(contender: Contender, job: Job) -> None:
    await once(contender, job, Stopwatch())
    _empty(Path(job.directory))


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def _worker() -> None:
    """Profile one contender: an `Order` on standard input, seconds by part as JSON on standard output."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    parts = asyncio.run(_passes(find(order.target), order.job))
    sys.stdout.buffer.write(msgspec.json.encode(dict(parts)))


def main() -> None:
    """Print the share of each part, for each of our ways, with records of 2 KB over HTTP."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        root, output = work / "served", work / "output"
        root.mkdir()
        output.mkdir()
        with serving(root, work) as server:
            bodies = Bodies(root, server.origins)
            body = bodies.make("profiled", records=RECORDS, record_bytes=RECORD_BYTES, gzip=True)
            for name, entrant, coding in (
                (COPY.name, COPY, "identity"),
                (COPY_WITH_USAGE.name, COPY_WITH_USAGE, "identity"),
                (HEADS.name, HEADS, "identity"),
                (f"{HEADS.name}, gzip", HEADS, "gzip"),
                (EACH.name, EACH, "identity"),
                (TYPED.name, TYPED, "identity"),
            ):
                job = msgspec.structs.replace(bodies.job(body, coding=coding), directory=str(output))
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.profile", "--worker"],
                    input=msgspec.json.encode(Order(target=entrant.target, job=job)),
                    stdout=subprocess.PIPE,
                    check=True,
                )
                parts = Counter(msgspec.json.decode(done.stdout, type=dict[str, float]))
                total = sum(parts.values())
                shares = ", ".join(f"{part} {seconds / total:.0%}" for part, seconds in parts.most_common())
                print(f"{name}: {total / (job.size * PASSES / 1e9):.2f} CPU s/GB: {shares}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--worker"]:
        _worker()
    else:
        main()
