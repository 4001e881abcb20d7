"""User code that misbehaves at random around runs and streams, and nothing is reported that was not taken.

    python -m tests.durability.misbehave --runs 200 --seed 1

A run delivers batches of the emulator into sinks, callbacks and queues, told to an observer, its ids from an iterable;
the seed decides which of them misbehaves, when, and how: raises, raises `CancelledError`, cancels its own task, waits
for what somebody else cancels, exits, blocks, hangs, keeps a cancellation to itself, gives junk. Sometimes a task of
the run is cancelled from outside, sometimes the run itself. After each run:

- a batch that is reported as delivered was taken by every sink, each record once, and its file is the server's;
- a run is complete only when each batch that was asked for is;
- nothing hangs, and no task, thread or file is left;
- a run of good behaviour in the same place brings what is missing, and to a callback with a checkpoint nothing twice
  but what was never acknowledged.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.types import Batch
from streamer.emulator.running import running
from streamer.observer import Observer
from streamer.report import BatchReport, RunReport
from streamer.results.accounting import Tally
from streamer.results.block import Block
from streamer.results.record import Record
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.runs.stream import Records, stream
from streamer.sinks.base import Sink, Writer
from streamer.sinks.callback import CallbackSink
from streamer.sinks.checkpoint import CheckpointedSink
from streamer.sinks.file import FileSink
from streamer.sinks.queue import QueueSink

BATCHES, RECORDS, RECORD_BYTES = 4, 60, 5000  # a batch is then three blocks
HANGS = 0.4  # seconds after which a run in which something hangs is cancelled
LONGEST = 30.0  # seconds that a run may take to end once it was cancelled

ON_LOOP = ("raise", "cancelled", "cancel itself", "somebody else's", "exit", "block", "hang", "deaf", "junk")
AROUND = tuple(kind for kind in ON_LOOP if kind != "exit")  # there `sys.exit()` ends the program, as it should
IN_THREAD = ("raise", "cancelled", "exit", "interrupt", "block", "junk")
PLAINLY = ("raise", "cancelled", "cancel itself", "block", "junk")  # in a plain function on the loop

Truth = Mapping[str, Mapping[str, bytes]]  # by batch, each record by its custom_id


@dataclass
class Result:
    """What the runs came to."""

    runs: int = 0
    ends: Counter[str] = field(default_factory=Counter)  # how runs ended
    mischief: Counter[str] = field(default_factory=Counter)  # what was done
    delivered: int = 0  # batches that were reported as delivered by runs in which somebody misbehaved
    faults: list[str] = field(default_factory=list)  # what must not be

    def __str__(self) -> str:
        done = ", ".join(f"{name} {n}" for name, n in self.mischief.most_common())
        ends = ", ".join(f"{name} {n}" for name, n in self.ends.most_common())
        return (
            f"{self.runs} runs: {ends}; batches delivered all the same: {self.delivered}; faults: {len(self.faults)}\n"
            f"misbehaved {sum(self.mischief.values())} times: {done}"
        )


class Mischief:
    """Decides who misbehaves, when and how."""

    def __init__(self, rng: Random, done: Counter[str]) -> None:
        self._rng = rng
        self._done = done
        self.left = rng.choice((0, 1, 1, 2, 3))
        self._share = rng.choice((0.01, 0.1, 0.5))

    def choose(self, who: str, kinds: Sequence[str]) -> str:
        if not self.left or self._rng.random() > self._share:
            return ""
        self.left -= 1
        kind = self._rng.choice(kinds)
        self._done[f"{who}: {kind}"] += 1
        return kind

    def plainly(self, who: str, kinds: Sequence[str] = PLAINLY) -> bool:
        """Misbehave in a plain function; whether to return junk."""
        match kind := self.choose(who, kinds):
            case "raise":
                raise ValueError("by design")
            case "cancelled":
                raise asyncio.CancelledError
            case "exit":
                raise SystemExit(0)
            case "interrupt":
                raise KeyboardInterrupt
            case "cancel itself":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            case "block":
                time.sleep(0.01)
        return kind == "junk"

    async def on_loop(self, who: str, kinds: Sequence[str] = ON_LOOP) -> bool:
        """Misbehave in a coroutine; whether to return junk."""
        match kind := self.choose(who, kinds):
            case "raise":
                raise ValueError("by design")
            case "cancelled":
                raise asyncio.CancelledError
            case "exit":
                raise SystemExit(0)
            case "cancel itself":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                if self._rng.random() < 0.5:
                    await asyncio.sleep(0)
            case "somebody else's":
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_soon(future.cancel)
                await future
            case "block":
                time.sleep(0.01)  # noqa: ASYNC251 - as people do
            case "hang":
                await asyncio.Event().wait()
            case "deaf":
                with suppress(BaseException):
                    await asyncio.Event().wait()
        return kind == "junk"


class Taken:
    """What a place has really taken, counted by its own code."""

    def __init__(self) -> None:
        self.times: Counter[tuple[str, str]] = Counter()

    def add(self, batch_id: str, custom_ids: Sequence[str]) -> None:
        self.times.update((batch_id, custom_id) for custom_id in custom_ids)


class OddSink(Sink):
    def __init__(self, mischief: Mischief, taken: Taken) -> None:
        self.mischief, self.taken = mischief, taken

    async def open(self, batch: Batch) -> Any:
        if await self.mischief.on_loop("open"):
            return 7
        return OddWriter(self, batch.id)

    async def close(self) -> None:
        await self.mischief.on_loop("close of a sink")


class OddWriter(Writer):
    def __init__(self, sink: OddSink, batch_id: str) -> None:
        super().__init__(Tally())
        self._sink, self._batch_id = sink, batch_id

    async def write(self, block: Block) -> Any:
        junk = await self._sink.mischief.on_loop("write")
        self._sink.taken.add(self._batch_id, block.ids)
        return junk

    async def commit(self) -> None:
        await self._sink.mischief.on_loop("commit")

    async def close(self) -> None:
        await self._sink.mischief.on_loop("close")


class OddObserver(Observer):
    def __init__(self, mischief: Mischief) -> None:
        self.mischief = mischief

    def polled(self, batch: Batch) -> None:
        self.mischief.plainly("observer")

    def started(self, batch: Batch, report: BatchReport) -> None:
        self.mischief.plainly("observer")

    def finished(self, report: BatchReport) -> None:
        self.mischief.plainly("observer")


def callbacks(mischief: Mischief, taken: Taken) -> list[Callable[[Record], Any]]:
    async def on_loop(record: Record) -> bool:
        junk = await mischief.on_loop("callback")
        taken.add(record.batch_id, [record.custom_id])
        return junk

    def in_thread(record: Record) -> bool:
        junk = mischief.plainly("callback in a thread", IN_THREAD)
        taken.add(record.batch_id, [record.custom_id])
        return junk

    return [on_loop, in_thread]


async def odd_ids(ids: Sequence[str], mischief: Mischief, told: list[str]) -> AsyncIterator[Any]:
    for batch_id in ids:
        if await mischief.on_loop("ids", AROUND):
            yield None
        told.append(batch_id)
        yield batch_id
    await mischief.on_loop("ids", AROUND)


class Round:
    """One run, or one stream, in which somebody misbehaves."""

    def __init__(self, client: Client, truth: Truth, folder: Path, seed: str, result: Result) -> None:
        self.client, self.truth, self.folder, self.result = client, truth, folder, result
        self.rng = Random(seed)
        self.seed = seed
        self.mischief = Mischief(self.rng, result.mischief)
        self.places: list[Taken] = []
        self.seen = Taken()  # of a stream
        self.asked: list[str] = []

    def fault(self, what: str) -> None:
        self.result.faults.append(f"seed {self.seed}: {what}")

    async def play(self) -> None:
        tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
        ids = self.rng.sample(list(self.truth), self.rng.randrange(1, BATCHES + 1))
        work = self._stream(ids) if self.rng.random() < 0.3 else self._run(ids)
        task = asyncio.create_task(work, name="round")
        loop, timers = asyncio.get_running_loop(), []
        if self.rng.random() < 0.3:
            timers.append(loop.call_later(self.rng.random() / 20, self._cancel_one))
        if self.rng.random() < 0.2:
            self.result.mischief["run cancelled"] += 1
            timers.append(loop.call_later(self.rng.random() / 10, task.cancel))
        await asyncio.wait([task], timeout=HANGS)
        for timer in timers:
            timer.cancel()
        begun = time.monotonic()
        while not task.done() and time.monotonic() - begun < LONGEST:
            task.cancel()  # again, if need be: what hangs may be somebody's own close
            await asyncio.wait([task], timeout=1)
        if not task.done():
            self.fault("it hangs")
        elif task.cancelled():
            self.result.ends["cancelled"] += 1
        elif (error := task.exception()) is not None:
            self.result.ends[f"raised {type(error).__name__}"] += 1
        elif (report := task.result()) is not None:
            self.result.ends["complete" if report.complete else "incomplete"] += 1
            self._check(report, ids)
        for _ in range(5):
            await asyncio.sleep(0)
        if left := asyncio.all_tasks() - tasks:
            self.fault(f"tasks are left: {left}")
        if left_threads := [t for t in threading.enumerate() if t not in threads and "asyncio" not in t.name]:
            self.fault(f"threads are left: {left_threads}")
        self._check_files()

    def _cancel_one(self) -> None:
        """Cancel a task of ours that is not ours to cancel."""
        ours = sorted(task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("streamer"))
        if ours:
            name = self.rng.choice(ours)
            self.result.mischief[f"task cancelled: {' '.join(name.split()[:2])}"] += 1
            for task in asyncio.all_tasks():
                if task.get_name() == name:
                    task.cancel()

    def _sinks(self) -> Iterator[Sink]:
        for kind in self.rng.sample(["sink", "callback", "checkpoint", "file", "queue"], self.rng.randrange(1, 4)):
            taken = Taken()
            function = self.rng.choice(callbacks(self.mischief, taken))
            if kind == "file":
                yield FileSink(self.folder / "{batch_id}.jsonl")
                continue
            self.places.append(taken)
            if kind == "sink":
                yield OddSink(self.mischief, taken)
            elif kind == "queue":
                yield QueueSink(self._consumed(taken))
            elif kind == "callback":
                yield CallbackSink(function, concurrency=self.rng.choice((1, 3)))
            else:
                sink = CallbackSink(function, concurrency=self.rng.choice((1, 3)))
                yield CheckpointedSink(sink, self.folder / "acknowledged.sqlite", name="odd")

    def _consumed(self, taken: Taken) -> asyncio.Queue[Any]:
        class Read(asyncio.Queue[Any]):
            async def put(self, item: Any) -> None:
                await mischief.on_loop("queue")
                if item is not None:
                    taken.add(item.batch_id, [item.custom_id])

        mischief = self.mischief
        return Read(maxsize=1)

    async def _run(self, ids: list[str]) -> RunReport:
        given: Any = ids if self.rng.random() < 0.5 else odd_ids(ids, self.mischief, self.asked)
        if given is ids:
            self.asked += ids
        options = RunOptions(concurrency=self.rng.choice((1, 3)), poll_interval=0.05)
        return await run(self.client, given, list(self._sinks()), options, observer=OddObserver(self.mischief))

    async def _stream(self, ids: list[str]) -> RunReport | None:
        self.asked += ids
        self.places.append(self.seen)
        records = stream(self.client, ids, RunOptions(concurrency=3), observer=OddObserver(self.mischief))
        async with records:
            while await self._read_some(records):
                pass
            return records.report

    async def _read_some(self, records: Records) -> bool:
        """Read on, as records or as blocks, and stop somewhere; whether there may be more."""
        most = self.rng.choice((1, 7, 1000))
        if self.rng.random() < 0.5:
            async with aclosing(aiter(records)) as one_by_one:  # type: ignore[type-var]  # it is a generator
                async for record in one_by_one:
                    await self.mischief.on_loop("reader", AROUND)
                    self.seen.add(record.batch_id, [record.custom_id])
                    most -= 1
                    if not most:
                        return True
        else:
            async for block in records.blocks():
                self.seen.add(block.batch_id, block.ids)
                return True
        return False

    def _check(self, report: RunReport, ids: list[str]) -> None:
        reported = {batch.batch_id: batch for batch in report.batches}
        if report.complete and (set(self.asked) - set(reported) or set(ids) - set(reported)):
            self.fault(f"complete, and {set(ids) - set(reported)} is not in the report")
        for batch in report.batches:
            if not batch.complete:
                continue
            self.result.delivered += 1
            for place in self.places:
                taken = {custom_id for batch_id, custom_id in place.times if batch_id == batch.batch_id}
                if taken != set(self.truth[batch.batch_id]):
                    self.fault(f"{batch.batch_id} is {batch.outcome}, and {len(taken)} records were taken")
        for place in self.places:
            if doubled := [what for what, times in place.times.items() if times > 1]:
                self.fault(f"{len(doubled)} records were taken twice in one run")

    def _check_files(self) -> None:
        for path in self.folder.glob("*.jsonl"):
            if sorted(path.read_bytes().splitlines()) != sorted(self.truth[path.stem].values()):
                self.fault(f"{path.name} is final and not what the server has")

    async def again(self) -> None:
        """Behave, in the same place: now everything is there."""
        taken = Taken()

        async def function(record: Record) -> None:
            taken.add(record.batch_id, [record.custom_id])

        before = {what for place in self.places for what in place.times}
        sinks: list[Sink] = [
            FileSink(self.folder / "{batch_id}.jsonl"),
            CheckpointedSink(CallbackSink(function), self.folder / "acknowledged.sqlite", name="odd"),
        ]
        report = await run(self.client, list(self.truth), sinks)
        if not report.complete:
            self.fault(f"and going on fails: {[batch.error for batch in report.batches if batch.error]}")
        everything = {(batch_id, custom_id) for batch_id, records in self.truth.items() for custom_id in records}
        if missing := everything - set(taken.times) - before:
            self.fault(f"{len(missing)} records are said to be acknowledged and were never taken")
        self._check_files()


async def play(base_url: str, runs: int, seed: int, say: Callable[[str], None]) -> Result:
    """So many rounds against an emulator."""
    result = Result()
    options = ClientOptions(requests_per_minute=1_000_000)
    async with Client(api_key="test-key", base_url=base_url, options=options) as client:
        truth: dict[str, dict[str, bytes]] = {}
        async for batch in client.list():
            async with client.results(batch) as body:
                lines = b"".join([data async for data in body]).splitlines()
            truth[batch.id] = {msgspec.json.decode(line)["custom_id"]: line for line in lines}
        for number in range(runs):
            with tempfile.TemporaryDirectory() as folder:
                one = Round(client, truth, Path(folder), f"{seed}/{number}", result)
                await one.play()
                await one.again()
            result.runs += 1
            for fault in result.faults:
                say(fault)
            if result.faults:
                break
    return result


def misbehave(runs: int, seed: int, say: Callable[[str], None] = lambda line: None) -> Result:
    """Play so many rounds, each seeded by `seed` and its number; ends at the first fault."""
    logging.getLogger("streamer").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        with running(
            fill_ended=BATCHES, records=RECORDS, record_bytes=RECORD_BYTES, retry_after=0, seed=seed
        ) as emulator:
            return asyncio.run(play(emulator.base_url, runs, seed, say))
    finally:
        logging.getLogger("streamer").setLevel(logging.NOTSET)
        logging.getLogger("asyncio").setLevel(logging.NOTSET)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.durability.misbehave", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=Random().randrange(1 << 32), help="what an earlier run has printed")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)  # noqa: T201 - this is what the command is for
    result = misbehave(args.runs, args.seed, lambda line: print(line, flush=True))  # noqa: T201
    print(result)  # noqa: T201
    raise SystemExit(1 if result.faults else 0)


if __name__ == "__main__":
    main()
