"""kill -9 at random, and at the instructions that matter; signals that ask nicely first."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import Started, environment
from tests.durability.harness import Truth
from tests.durability.kill import BLOCK_BYTES, kill_loop
from tests.durability.ledger import LEDGER

ROOT = Path(__file__).parents[2]


def test_files_that_were_killed_at_random_are_those_of_an_undisturbed_run() -> None:
    result = kill_loop(kills=3, batches=2, records=180, seed=3, say=print)
    assert (result.lost, result.doubled, result.different) == (0, 0, 0)


def test_a_callback_that_was_killed_at_random_gets_every_record_and_few_again() -> None:
    result = kill_loop(kills=3, batches=2, records=180, seed=4, sink="callback", say=print)
    assert (result.lost, result.different) == (0, 0)
    assert result.most_again <= BLOCK_BYTES


# A run that kills itself before, after or in the middle of the Nth call of one function, e.g. `before os.fsync 1`.
LAUNCHER = """
import importlib, itertools, os, signal, sys
when, where, number = sys.argv[1:4]
module, _, name = where.rpartition(".")
owner = importlib.import_module(module.partition(":")[0])
for part in filter(None, module.partition(":")[2].split(".")):
    owner = getattr(owner, part)
real, calls = getattr(owner, name), itertools.count(1)

def counting(*args, **kwargs):
    now = next(calls) == int(number)
    if now and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if now and when == "torn":
        data = b"".join(args[1])
        os.write(args[0].fileno(), data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*args, **kwargs)
    if now and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return result

if when == "torn":  # a built-in class cannot be changed, but the module's name for it can
    setattr(owner, name, type("Torn", (real,), {"append": lambda self, pieces: counting(self, pieces)}))
    real = real.append
else:
    setattr(owner, name, counting)
from streamer.cli import main
sys.exit(main(sys.argv[4:]))
"""


def killed_at(folder: Path, truth: Truth, point: str, *words: str) -> None:
    """Start a run that kills itself at `point`."""
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER, *point.split(), "run", *truth.ids, *words],
        cwd=folder,
        env=_environment(folder, truth),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def finished(folder: Path, truth: Truth, *words: str) -> None:
    """The same command again."""
    with Started("run", "-q", *truth.ids, *words, cwd=folder, base_url=truth.emulator.base_url) as started:
        assert (started.done.returncode, started.done.stderr) == (0, "")


def _environment(folder: Path, truth: Truth) -> dict[str, str]:
    return environment(truth.emulator.base_url, "test-key") | {
        "PYTHONPATH": str(ROOT),
        LEDGER: str(folder / "ledger"),
    }


POINTS = [
    "torn streamer.disk.growingfile.GrowingFile 1",
    "before os.fsync 1",
    "before os.link 2",
    "after os.link 2",  # it has both names
    "before os.fsync 4",  # of the directory, after a link
    "before os.unlink 2",
    "after os.unlink 2",
    "before os.open 5",
]


@pytest.mark.parametrize("point", POINTS)
def test_files_killed_at_one_instruction(truth: Truth, tmp_path: Path, point: str) -> None:
    killed_at(tmp_path, truth, point)
    final = [path for path in (tmp_path / "results").iterdir() if path.suffix == ".jsonl"]
    assert all(path.read_bytes() == truth.bodies[path.stem] for path in final)
    finished(tmp_path, truth)
    assert {path.stem: path.read_bytes() for path in (tmp_path / "results").iterdir()} == truth.bodies


CALLBACK = ("--to", "callback:tests.durability.ledger:keep", "--checkpoint", "done.sqlite", "--concurrency", "1")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["acknowledge", "deliver"])
def test_callbacks_killed_around_the_journal(
    truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, what: str
) -> None:
    """Before the journal has it: the same records again. After: never again, and the next ones are not lost."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv(LEDGER, str(tmp_path / "ledger"))
    killed_at(tmp_path, truth, f"{when} streamer.sinks.journal:Journal.{what} 1", *CALLBACK)
    first = (tmp_path / "ledger").read_text().splitlines()
    assert first
    finished(tmp_path, truth, *CALLBACK)
    lines = (tmp_path / "ledger").read_text().splitlines()
    assert len(set(lines)) == 300
    again = len(lines) - 300
    assert again == (len(first) if (when, what) == ("before", "acknowledge") else 0)


def test_the_second_signal_ends_it_at_once_and_nothing_is_harmed(
    truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one waits for a callback that hangs."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv(LEDGER, str(tmp_path / "ledger"))
    words = ("run", *truth.ids, "--to", "callback:tests.durability.ledger:keep_and_hang", *CALLBACK[2:])
    with Started(*words, cwd=tmp_path, base_url=truth.emulator.base_url) as started:
        _until((tmp_path / "ledger").exists)
        started.process.send_signal(signal.SIGINT)
        _until(lambda: _default_for(started.process.pid, signal.SIGINT))
        assert started.process.poll() is None
        started.process.send_signal(signal.SIGINT)
        assert started.done.returncode == -signal.SIGINT
    finished(tmp_path, truth, *CALLBACK)
    assert len(set((tmp_path / "ledger").read_text().splitlines())) == 300


def _until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def _default_for(pid: int, number: int) -> bool:
    """Whether a process has no handler for a signal any more."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return not int(status["SigCgt"], 16) >> (number - 1) & 1
