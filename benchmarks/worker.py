"""One contender in a process of its own: `python -m benchmarks.worker`, with an `Order` as JSON on standard input."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import shutil
import sys
from collections.abc import Awaitable
from pathlib import Path

import msgspec

from benchmarks.job import Contender, Job, Stopwatch
from benchmarks.neighbour import Neighbour
from benchmarks.usage import cpu_seconds, peak_megabytes


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker is to do.

    Attributes:
        target: the contender, as `module:callable`.
        job: what to give it.
        seconds: repeat the job until so much time has passed; at least once.
        neighbour: measure the delay of the event loop as well.
        loop: `asyncio` or `uvloop`.
    """

    target: str
    job: Job
    seconds: float = 0.0
    neighbour: bool = False
    loop: str = "asyncio"


def find(target: str) -> Contender:
    """The callable that `module:callable` names.

    Raises:
        ValueError: it is not of that form.
        ImportError, AttributeError: there is none.
    """
    module, colon, name = target.partition(":")
    if not colon:
        raise ValueError(f"{target!r} is not of the form module:callable")
    contender: Contender = getattr(importlib.import_module(module), name)
    return contender


class _Sum:
    """What all passes took together."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._passes = 0
        self._seconds = 0.0
        self._cpu = 0.0
        self._firsts: list[float] = []
        self._noted: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        return self._seconds

    def add(self, watch: Stopwatch, cpu: float, records: int | None) -> None:
        self._seconds += watch.stop()
        self._cpu += cpu_seconds() - cpu
        self._passes += 1
        self._noted.update(watch.noted)
        if watch.first_record is not None:
            self._firsts.append(watch.first_record)
        if records is not None and records != self._job.records:
            raise SystemExit(f"{records:,} records came instead of {self._job.records:,}")
        for path in Path(self._job.directory).iterdir():
            path.unlink() if path.is_file() else shutil.rmtree(path)

    def figures(self) -> dict[str, float]:
        size = self._job.size * self._passes
        figures = {
            "MB/s": size / 1e6 / self._seconds,
            "records/s": self._job.records * self._passes / self._seconds,
            "CPU s/GB": self._cpu / (size / 1e9),
            "peak MB": peak_megabytes(),
        }
        if self._firsts:
            figures["first record ms"] = min(self._firsts) * 1e3
        return {**figures, **self._noted}


async def once(contender: Contender, job: Job, watch: Stopwatch) -> int | None:
    """One pass of a contender that is a coroutine function; how many records there were, if it can tell."""
    outcome = contender(job, watch)
    return await outcome if isinstance(outcome, Awaitable) else outcome


async def _passes(order: Order, contender: Contender) -> dict[str, float]:
    total = _Sum(order.job)
    neighbour = Neighbour()
    while total.seconds <= order.seconds:
        cpu, watch = cpu_seconds(), Stopwatch()
        if order.neighbour:
            async with neighbour:
                records = await once(contender, order.job, watch)
        else:
            records = await once(contender, order.job, watch)
        total.add(watch, cpu, records)
    return {**total.figures(), **neighbour.figures()}


def _plain_passes(order: Order, contender: Contender) -> dict[str, float]:
    total = _Sum(order.job)
    while total.seconds <= order.seconds:
        cpu, watch = cpu_seconds(), Stopwatch()
        records = contender(order.job, watch)
        if isinstance(records, Awaitable):
            raise SystemExit(f"{order.target} is no coroutine function, but gives something to be awaited")
        total.add(watch, cpu, records)
    return total.figures()


def main() -> None:
    """Do what standard input orders and print the figures as JSON."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    contender = find(order.target)
    if not inspect.iscoroutinefunction(contender):
        figures = _plain_passes(order, contender)
    elif order.loop == "uvloop":
        import uvloop

        figures = uvloop.run(_passes(order, contender))
    else:
        figures = asyncio.run(_passes(order, contender))
    sys.stdout.buffer.write(msgspec.json.encode(figures))


if __name__ == "__main__":
    main()
