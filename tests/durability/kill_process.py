"""kill -9 at random moments of `streamer process`, and every request is answered once and no batch is paid for twice.

    python -m tests.durability.kill_process --kills 100 --seed 1

A round is a new workspace on the emulator, in which one request of seven fails, and a fault proxy in front of it that
loses answers, those to creates that were accepted, too. `streamer process` is started, killed at a moment that the seed
decides, and started again in the same place, until one run comes to its end. Then the answers are held against the
requests, and the batches that the emulator has against those that the ledger knows. Rounds follow until there were
enough kills; the last one is brought to its end without any.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from streamer.emulator.running import RunningEmulator
from streamer.emulator.running import running as emulator
from streamer.faults.running import running as faults
from streamer.submission.ledger import Ledger, Planned, State
from tests.answers.made import request, results
from tests.cli.command import environment
from tests.durability.killing import killed, started

# The emulator lists a batch at once, so nobody looks for minutes whether one turns up that was never created.
LAUNCHER = """
import sys
import streamer.submission.recovery
from streamer.cli import main

streamer.submission.recovery.PAUSES = (0.0, 0.05)
sys.exit(main())
"""
COMMAND = [sys.executable, "-c", LAUNCHER]

REQUESTS = 600
OF_A_BATCH = 100
MIX = "succeeded=0.86,errored=0.08,expired=0.06"
DROPS = (
    "create:fin@head,p=0.15",  # accepted, and nobody hears of it
    "create:status=529,p=0.1",
    "results:fin@random,p=0.25",
    "list:status=529,p=0.05",
    "drip=2m",
)


@dataclass
class Result:
    """What the kills came to."""

    kills: int = 0
    rounds: int = 0
    requests: int = 0  # over all rounds
    wrong: int = 0  # requests that are not answered exactly once and in their place
    batches: int = 0  # that were needed: what the ledgers planned
    doubled: int = 0  # batches that the emulator has beyond those
    phases: Counter[str] = field(default_factory=Counter)  # what the process was at when it was killed

    def __str__(self) -> str:
        phases = ", ".join(f"{name} {n}" for name, n in self.phases.most_common())
        return (
            f"kills {self.kills}, rounds {self.rounds}, requests {self.requests:,}: wrong {self.wrong}, "
            f"batches needed {self.batches:,}, created twice {self.doubled}\nkilled while: {phases}"
        )


class Round:
    """One submission, brought to its end over kills."""

    def __init__(self, folder: Path, base_url: str, server: RunningEmulator) -> None:
        self._folder = folder
        self._server = server
        self._project = folder / "requests.jsonl.streamer"
        self._answers = folder / "answers.jsonl"
        self._words = [
            "process",
            "requests.jsonl",
            "--to",
            "answers.jsonl",
            "--retry",
            "30",
            "--fields",
            "params.model",
        ]
        self._words += ["--max-requests", str(OF_A_BATCH), "--poll-interval", "0.1", "--quiet"]
        self._env = environment(base_url, "test-key")
        self._ids = [f"q-{n}" for n in range(REQUESTS)]
        results(folder / "requests.jsonl", *[request(custom_id, f"about {custom_id}") for custom_id in self._ids])

    def start(self) -> subprocess.Popen[bytes]:
        """Begin a run."""
        return started(self._words, self._folder, self._env, COMMAND)

    def moment(self, random: Random) -> Callable[[], bool]:
        """When to kill the run that has just been started."""
        kind = random.choice(("time", "create", "create", "results", "results", "again", "answers"))
        created, delivered, spools = self._created(), self._count("results/*"), self._count("*.jsonl*")
        limit = time.monotonic() + random.uniform(0.5, 2.5)
        if kind == "create":
            more = random.randint(1, 3)
            return lambda: self._created() >= created + more or time.monotonic() > limit
        if kind == "results":
            more = random.randint(1, 6)
            return lambda: self._count("results/*") >= delivered + more or time.monotonic() > limit
        if kind == "again":
            return lambda: self._count("*.jsonl*") > spools or time.monotonic() > limit
        if kind == "answers":
            part = self._answers.with_name("answers.jsonl.part")
            return lambda: self._answers.exists() or (part.exists() and part.stat().st_size > 0)
        return lambda: time.monotonic() > limit

    def phase(self) -> str:
        """What the process that was just killed was at, by what it has left."""
        if not (self._project / "ledger.sqlite").exists():
            return "starting"
        part = self._answers.with_name("answers.jsonl.part")
        if self._answers.exists() or (part.exists() and part.stat().st_size > 0):
            return "writing answers"
        batches = self.batches()
        if not batches:
            return "checking requests"
        if any(one.state is State.INTENDED for one in batches):
            return "create under way"
        if self._count("results/*.part"):
            return "streaming"
        if any(one.state is State.PLANNED for one in batches):
            return "between creates"
        return "watching" if self._count("results/*") < len(batches) else "all delivered"

    def batches(self) -> list[Planned]:
        """What the ledger knows."""
        ledger = Ledger(self._project)
        try:
            return ledger.batches()
        finally:
            ledger.close()

    def check(self, result: Result) -> None:
        """Hold what is there against what was asked and what was paid for."""
        result.requests += REQUESTS
        answers = [json.loads(line) for line in self._answers.read_bytes().splitlines()]
        found = [answer["custom_id"] for answer in answers]
        result.wrong += sum(n != 1 for n in Counter({**dict.fromkeys(self._ids, 0), **Counter(found)}).values())
        result.wrong += found != self._ids
        result.wrong += sum(answer["input"] != {"params.model": "claude-haiku-5-5"} for answer in answers)
        batches = self.batches()
        result.batches += len(batches)
        stats = self._server.stats()
        result.doubled += stats["batches_created"] - len(batches)
        result.doubled += len(batches) - len({one.batch_id for one in batches})
        # Two attempts may be of the same few requests; any other body that came twice was sent twice.
        bodies = [self._body(one) for one in batches]
        result.doubled += stats["bodies_repeated"] - (len(bodies) - len(set(bodies)))
        result.wrong += self._count("*.part") + self._count("results/*.part")

    def _body(self, one: Planned) -> str:
        spool = (self._project / one.spool).read_bytes()
        return hashlib.sha256(spool[one.slice.start : one.slice.end]).hexdigest()

    def _created(self) -> int:
        return int(self._server.stats()["batches_created"])

    def _count(self, pattern: str) -> int:
        return sum(1 for _ in self._project.glob(pattern))


def kill_loop(*, kills: int, seed: int, say: Callable[[str], None]) -> Result:
    """Kill `kills` runs, round after round, and say what became of their requests.

    Raises:
        AssertionError: a run that was not killed did not come to a good end.
    """
    random = Random(seed)
    result = Result()
    while result.kills < kills:
        result.rounds += 1
        with ExitStack() as stack:
            seeds = random.randrange(1 << 30), random.randrange(1 << 30)
            settings = {"mix": MIX, "duration": 0.6, "retry_after": 0, "record_bytes": 3000, "seed": seeds[0]}
            server = stack.enter_context(emulator(**settings))
            proxy = stack.enter_context(faults(server.base_url, *DROPS, seed=seeds[1]))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamer-kill-")))
            _one_round(Round(folder, proxy.base_url, server), kills, random, result)
        say(f"round {result.rounds}: {result}")
    return result


def _one_round(round_: Round, kills: int, random: Random, result: Result) -> None:
    while True:
        moment = round_.moment(random) if result.kills < kills else lambda: False
        if not killed(round_.start(), moment):
            round_.check(result)
            return
        result.kills += 1
        result.phases[round_.phase()] += 1


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.durability.kill_process", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)))
    args = parser.parse_args(argv)
    print(f"seed {args.seed}", flush=True)  # noqa: T201 - a command
    result = kill_loop(kills=args.kills, seed=args.seed, say=lambda text: print(text, flush=True))  # noqa: T201
    return 1 if result.wrong or result.doubled else 0


if __name__ == "__main__":
    sys.exit(main())
