"""`streamer submit` killed anywhere: the same command again, and every request was sent exactly once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streamer.emulator.running import RunningEmulator, running
from tests.cli.command import Started, environment, listed, streamer
from tests.durability.test_kill import LAUNCHER, ROOT

PARAMS = {"model": "claude-opus-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}
BATCHES = 12
NEVER = "before os.abort 1"
# What lists lag behind by is not waited for here: the emulator's do not.
PATIENT_NO_MORE = "import streamer.submission.recovery; streamer.submission.recovery.PAUSES = (0.0, 0.02)\n"

LEDGER = "streamer.submission.ledger:Ledger"
POINTS = [
    "before os.fsync 1",  # of the spool
    f"before {LEDGER}.plan 1",
    f"after {LEDGER}.plan 1",
    f"after {LEDGER}.intend 5",  # nothing was sent of it
    "before streamer.submission.spoolbody.stream_file 4",  # it is being sent
    f"before {LEDGER}.created 7",  # the API has it, and nobody else knows
]


@pytest.fixture
def emulator() -> Iterator[RunningEmulator]:
    """A workspace for each test: what is planned and killed is asked about where others create the like meanwhile."""
    with running(duration=3600) as emulator:
        yield emulator


def start(folder: Path, base_url: str, point: str = NEVER) -> subprocess.Popen[bytes]:
    words = ("submit", "requests.jsonl", "--max-requests", "2")
    return subprocess.Popen(
        [sys.executable, "-c", PATIENT_NO_MORE + LAUNCHER, *point.split(), *words],
        cwd=folder,
        env=environment(base_url, "test-key") | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finished(folder: Path, base_url: str) -> list[str]:
    out, err = start(folder, base_url).communicate(timeout=60)
    ids = out.decode().splitlines()
    assert len(ids) == BATCHES, err.decode()
    return ids


def write(folder: Path, prefix: str) -> None:
    lines = [json.dumps({"custom_id": f"{prefix}-{n}", "params": PARAMS}) for n in range(2 * BATCHES)]
    (folder / "requests.jsonl").write_text("\n".join(lines))


def created(emulator: RunningEmulator) -> tuple[int, int]:
    stats = emulator.stats()
    return stats["batches_created"], stats["bodies_repeated"]


@pytest.mark.parametrize("number", range(len(POINTS)), ids=lambda number: POINTS[number].replace(" ", "-"))
def test_killed_at_one_instruction(tmp_path: Path, emulator: RunningEmulator, number: int) -> None:
    write(tmp_path, f"at-{number}")
    before = created(emulator)
    killed = start(tmp_path, emulator.base_url, POINTS[number])
    _, err = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, err.decode()
    ids = finished(tmp_path, emulator.base_url)
    assert ids == listed(emulator)[BATCHES - 1 :: -1]
    assert created(emulator) == (before[0] + BATCHES, before[1])


def test_killed_again_and_again_at_random(tmp_path: Path, emulator: RunningEmulator) -> None:
    write(tmp_path, "random")
    before = created(emulator)
    moments = random.Random(5)
    for _ in range(3):
        process = start(tmp_path, emulator.base_url)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0.4, 1.2))
        process.kill()
        process.communicate()
    finished(tmp_path, emulator.base_url)
    assert created(emulator) == (before[0] + BATCHES, before[1])


def test_interrupted_it_says_that_the_same_command_goes_on(tmp_path: Path) -> None:
    write(tmp_path, "interrupted")
    with running(duration=3600, queue_limit=5) as emulator:
        words = ("submit", "requests.jsonl", "--max-requests", "2")
        with Started(*words, cwd=tmp_path, base_url=emulator.base_url) as started:
            until_created(emulator, 2)
            second = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
            assert second.returncode == 1
            assert "in use by another process" in second.stderr
            started.process.send_signal(signal.SIGINT)
            done = started.done
        assert done.returncode == 130
        assert "no batch is created twice" in done.stderr
        assert done.stdout.splitlines() == listed(emulator)[::-1]
        emulator.advance(7200)
        again = start(tmp_path, emulator.base_url)
        until_created(emulator, 4)
        again.kill()
        again.communicate()
        assert created(emulator)[1] == 0


def until_created(emulator: RunningEmulator, batches: int) -> None:
    give_up = time.monotonic() + 60
    while created(emulator)[0] < batches:
        assert time.monotonic() < give_up
        time.sleep(0.02)
