"""kill -9 at random moments, again and again, and nothing is lost and nothing doubled.

    python -m tests.durability.kill --kills 500 --batches 8 --seed 1
    python -m tests.durability.kill --kills 500 --batches 8 --seed 1 --sink callback

A round is a new workspace on the emulator, whose batches end one by one, and a fault proxy that drops connections in
front of it. `streamer run` is started, killed at a moment that the seed decides, and started again in the same place,
until one run comes to its end; then what is there is compared with what the server has. Rounds follow until there were
enough kills; the last one is brought to its end without any.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from streamer.emulator.running import running as emulator
from streamer.faults.running import running as faults
from tests.cli.command import environment, listed, raw_results
from tests.durability.killing import killed, started
from tests.durability.ledger import LEDGER

RECORDS = 400  # of a batch
RECORD_BYTES = 6000  # a batch is then 2.4 MB: the file sink writes it in three pieces
DROPS = (
    "drip=6m",  # so that a download lasts long enough to be killed in
    "ended:null_results_url,p=0.5",  # batches come one by one, so there is watching to be killed in as well
    "results:fin@random,p=0.25",
    "results:rst@random,p=0.1",
    "list:status=529,p=0.05",
)
BLOCK_BYTES = 1 << 18  # no block is larger than four times what is read from a socket at once
# Numbers of Linux on x86-64, to tell what a process was doing when it was killed.
SYSCALLS = {
    "1": "write",
    "17": "scan",
    "18": "write",
    "75": "fsync",
    "73": "lock",
    "74": "fsync",
    "76": "cut",
    "77": "cut",
    "87": "unlink",
    "263": "unlink",
    "265": "link",
}


@dataclass
class Result:
    """What the kills came to."""

    kills: int = 0
    rounds: int = 0
    delivered: int = 0  # records, over all rounds
    lost: int = 0
    doubled: int = 0  # records that are twice in a file
    again: int = 0  # records that a callback was given again
    most_again: int = 0  # bytes of those that came again of one batch in one run, at most
    different: int = 0  # files that are not what an undisturbed run writes; records that nobody has
    drops: int = 0  # connections that the proxy broke
    phases: Counter[str] = field(default_factory=Counter)  # what the process was at when it was killed

    def __str__(self) -> str:
        phases = ", ".join(f"{name} {n}" for name, n in self.phases.most_common())
        return (
            f"kills {self.kills}, rounds {self.rounds}, connections dropped {self.drops}, records {self.delivered:,}: "
            f"lost {self.lost}, doubled {self.doubled}, different {self.different}, given to a callback again "
            f"{self.again:,} (at most {self.most_again:,} bytes of a batch in one run)\nkilled while: {phases}"
        )


class Round:
    """One workspace, brought to its end over kills."""

    def __init__(self, folder: Path, base_url: str, truth: dict[str, bytes], *, callback: bool) -> None:
        self.folder = folder
        self.truth = truth
        self.callback = callback
        self.ledger = folder / "ledger"
        self._words = ["run", "--ids-from", "ids", "--poll-interval", "0.1", "--quiet"]
        if callback:
            self._words += ["--to", "callback:tests.durability.ledger:keep", "--checkpoint", "done.sqlite"]
        self._sizes = {f"{name} {_id(line)}": len(line) for name, body in truth.items() for line in body.splitlines()}
        self._starts: list[int] = []  # how many records the callback had been given when each run began
        self._env = environment(base_url, "test-key") | {LEDGER: str(self.ledger)}
        self._env["PYTHONPATH"] = str(Path(__file__).parents[2])
        (folder / "ids").write_text("\n".join(truth))

    def start(self) -> subprocess.Popen[bytes]:
        """Begin a run."""
        self._starts.append(len(self.lines()))
        return started(self._words, self.folder, self._env)

    def files(self) -> dict[str, int]:
        """The size of each file of results, by its name."""
        found = {}
        with suppress(FileNotFoundError):  # there is no folder yet
            for file in os.scandir(self.folder / "results"):
                with suppress(FileNotFoundError):  # it was renamed just now
                    found[file.name] = file.stat().st_size
        return found

    def whole(self) -> set[str]:
        """The files that hold a whole batch under the name of one that grows."""
        sizes = {f"{name}.jsonl.part": len(body) for name, body in self.truth.items()}
        return {name for name, size in self.files().items() if size == sizes.get(name)}

    def final(self) -> int:
        """How many files have their final name."""
        return sum(name.endswith(".jsonl") for name in self.files())

    def moment(self, random: Random) -> Callable[[], bool]:
        """When to kill the run that has just been started."""
        kind = random.choice(("time", "progress", "whole", "final"))
        if kind == "time":
            limit = time.monotonic() + random.uniform(0.1, 1.5)
            return lambda: time.monotonic() > limit
        if kind == "progress" or self.callback:
            at = self._size() + random.random() * self._left()
            return lambda: self._size() > at
        if kind == "final":
            final = self.final() + random.randint(1, 2)
            return lambda: self.final() >= final
        before = self.whole()
        return lambda: not self.whole() <= before

    def _size(self) -> int:
        """Bytes that the runs have made so far."""
        if self.callback:
            return self.ledger.stat().st_size if self.ledger.exists() else 0
        return sum(self.files().values())

    def _left(self) -> int:
        """Bytes that are still to be made."""
        if self.callback:
            return sum(len(line) + 1 for line in self._sizes.keys() - set(self.lines()))
        return sum(map(len, self.truth.values())) - self._size()

    def lines(self) -> list[str]:
        """What the callback was given."""
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []

    def phase(self, pid: int) -> str:
        """What the process is at, as far as it can be told from outside."""
        called = []
        for task in Path(f"/proc/{pid}/task").glob("*/syscall"):
            try:
                called.append(SYSCALLS.get(task.read_text().split()[0], ""))
            except OSError:  # the thread has ended
                continue
        if busy := next(filter(None, called), None):
            return busy
        if self.callback:
            return "handing over" if len(self.lines()) > self._starts[-1] else "starting or watching"
        if self.whole():
            return "written, not yet renamed"
        if any(name.endswith(".part") for name in self.files()):
            return "streaming"
        return "between batches" if self.final() else "starting or watching"

    def _again(self, lines: list[str]) -> Iterator[dict[str, list[str]]]:
        """For each run what it handed over though an earlier one had, by batch."""
        seen: set[str] = set()
        for start, end in zip(self._starts, [*self._starts[1:], len(lines)], strict=True):
            again: dict[str, list[str]] = {}
            for line in lines[start:end]:
                if line in seen:
                    again.setdefault(line.split()[0], []).append(line)
                seen.add(line)
            yield again

    def check(self, result: Result) -> None:
        """Compare what is there with what the server has."""
        result.delivered += sum(map(_records, self.truth.values()))
        if self.callback:
            lines = self.lines()
            result.lost += len(self._sizes.keys() - set(lines))
            result.different += len(set(lines) - self._sizes.keys())
            for batches in self._again(lines):
                result.again += sum(map(len, batches.values()))
                sizes = [sum(self._sizes[line] for line in again) for again in batches.values()]
                result.most_again = max(result.most_again, *sizes, 0)
            return
        for batch_id, body in self.truth.items():
            path = self.folder / "results" / f"{batch_id}.jsonl"
            there = path.read_bytes() if path.exists() else b""
            ids = Counter(map(_id, there.splitlines()))
            result.lost += len(set(map(_id, body.splitlines())) - set(ids))
            result.doubled += ids.total() - len(ids)
            result.different += there != body
        result.different += len(self.files()) - len(self.truth)


def _id(line: bytes) -> str:
    return line[: line.index(b'"', 14)][14:].decode()  # {"custom_id":"...


def _records(body: bytes) -> int:
    return body.count(b"\n")


def kill_loop(
    *, kills: int, batches: int, seed: int, sink: str = "file", records: int = RECORDS, say: Callable[[str], None]
) -> Result:
    """Kill `kills` runs, round after round, and say what became of their records.

    Raises:
        AssertionError: a run that was not killed did not come to a good end.
    """
    random = Random(seed)
    result = Result()
    while result.kills < kills:
        result.rounds += 1
        with ExitStack() as stack:
            server = stack.enter_context(
                emulator(
                    fill_ended=batches,
                    records=records,
                    record_bytes=RECORD_BYTES,
                    retry_after=0,
                    seed=random.randrange(1 << 30),
                )
            )
            proxy = stack.enter_context(faults(server.base_url, *DROPS, seed=random.randrange(1 << 30)))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamer-kill-")))
            truth = {batch_id: raw_results(server, batch_id) + b"\n" for batch_id in listed(server)}
            _one_round(Round(folder, proxy.base_url, truth, callback=sink == "callback"), kills, random, result)
            result.drops += sum(n for name, n in proxy.stats()["faults"].items() if "@random" in name)
        say(f"round {result.rounds}: {result}")
    return result


def _one_round(round_: Round, kills: int, random: Random, result: Result) -> None:
    while True:
        moment = round_.moment(random)
        process = round_.start()

        def time_to(process: subprocess.Popen[bytes] = process, moment: Callable[[], bool] = moment) -> bool:
            if result.kills == kills or not moment():
                return False
            result.phases[round_.phase(process.pid)] += 1  # while it lives: the system says what it is at
            return True

        if not killed(process, time_to):
            round_.check(result)
            return
        result.kills += 1


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.durability.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--records", type=int, default=RECORDS, help="of each batch")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)))
    parser.add_argument("--sink", choices=("file", "callback"), default="file")
    args = parser.parse_args(argv)
    print(f"seed {args.seed}", flush=True)  # noqa: T201 - a command
    result = kill_loop(
        kills=args.kills,
        batches=args.batches,
        seed=args.seed,
        sink=args.sink,
        records=args.records,
        say=lambda text: print(text, flush=True),  # noqa: T201
    )
    return 1 if result.lost or result.doubled or result.different or result.most_again > BLOCK_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
