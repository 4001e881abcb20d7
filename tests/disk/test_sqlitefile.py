"""A ledger or a journal: born whole, one process at a time, and all of it in one file."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamer.errors import InUseError, StorageError
from streamer.sinks.journal import Journal

RECORDS = [(f"é-{n}", "succeeded") for n in range(200)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "journal.sqlite"


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def run(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run a script that knows `journal` and `path`."""
    prelude = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom streamer.sinks.journal import Journal\n"
        "path = Path(sys.argv[1])\njournal = Journal(path)\n"
    )
    words = [sys.executable, "-c", prelude + script, str(path)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_what_is_acknowledged_is_in_the_file_itself_whatever_becomes_of_those_beside_it(path: Path) -> None:
    """Killed, and then copied by somebody who takes one file for all of it."""
    done = run("journal.acknowledge('n', 'b', [('a', 'succeeded')]); os.kill(os.getpid(), signal.SIGKILL)", path)
    assert done.returncode == -9
    copy = path.with_name("copy.sqlite")
    shutil.copy(path, copy)
    for beside in path.parent.glob("journal.sqlite-*"):
        beside.unlink()
    for file in (path, copy):
        journal = Journal(file)
        assert journal.acknowledged("n", "b") == {"a": "succeeded"}
        journal.close()
    assert names(path) == ["copy.sqlite", "journal.sqlite"]


def test_reading_it_in_the_same_process_lets_nobody_else_in(path: Path) -> None:
    """SQLite's own lock falls when anything in the process closes the file."""
    journal = Journal(path)
    journal.acknowledge("n", "b", RECORDS[:1])
    path.read_bytes()
    done = run("journal.acknowledge('n', 'b', [('x', 'succeeded')])", path)
    assert "InUseError" in done.stderr
    journal.acknowledge("n", "b", RECORDS[1:2])
    assert journal.acknowledged("n", "b") == dict(RECORDS[:2])
    journal.close()
    assert names(path) == ["journal.sqlite"]


def test_two_in_one_process_are_two(path: Path) -> None:
    one, other = Journal(path), Journal(path)
    one.acknowledge("n", "b", RECORDS)
    with pytest.raises(InUseError):
        other.acknowledged("n", "b")
    one.close()
    assert other.acknowledged("n", "b") == dict(RECORDS)
    other.close()


def test_a_forked_child_keeps_nobody_out(path: Path) -> None:
    script = """
journal.acknowledge('n', 'b', [('a', 'succeeded')])
wait, go_on = os.pipe()
if os.fork() == 0:
    os.read(wait, 1)
    os._exit(0)
journal.close()
again = Journal(path)
print(again.acknowledged('n', 'b'))
again.close()
os.write(go_on, b'x')
os.wait()
"""
    done = run(script, path)
    assert (done.stdout, done.stderr) == ("{'a': 'succeeded'}\n", "")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As a disk that is full: the system takes no byte beyond `size`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_while_it_is_made_leaves_nothing_or_a_whole_one(path: Path) -> None:
    refused = []
    for size in range(0, 24_000, 500):
        journal = Journal(path)
        try:
            with largest_file(size):
                journal.acknowledge("n", "b", RECORDS)
        except StorageError as error:
            refused.append(str(error))
        journal.close()
        assert names(path) in ([], ["journal.sqlite"])
        if path.exists():
            assert journal.acknowledged("n", "b") in ({}, dict(RECORDS))
            journal.close()
            path.unlink()
    assert len(refused) > 10
    assert all("cannot be used" in said for said in refused)


@pytest.mark.parametrize("point", ["before link", "after link", "after fsync"])
def test_what_a_kill_leaves_while_it_is_made_is_swept(path: Path, point: str) -> None:
    script = """
when, name = POINT
real = getattr(os, name)
def die(*args, **kwargs):
    if when == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, name, die)
journal.acknowledged('n', 'b')
""".replace("POINT", repr(tuple(point.split())))
    assert run(script, path).returncode == -9
    assert len(names(path)) > 1
    journal = Journal(path)
    assert journal.acknowledged("n", "b") == {}
    journal.close()
    assert names(path) == ["journal.sqlite"]


def test_a_process_that_was_killed_keeps_nobody_out(path: Path) -> None:
    assert run("journal.acknowledged('n', 'b'); os.kill(os.getpid(), signal.SIGKILL)", path).returncode == -9
    assert "journal.sqlite.lock" in names(path)
    journal = Journal(path)
    assert journal.acknowledged("n", "b") == {}
    journal.close()
    assert names(path) == ["journal.sqlite"]


def test_any_flipped_bit_is_damage_or_harmless(path: Path) -> None:
    journal = Journal(path)
    journal.acknowledge("n", "b", RECORDS)
    journal.deliver("n", "b")
    journal.acknowledge("n", "c", RECORDS)
    journal.close()
    good = path.read_bytes()
    places = [place for place, byte in enumerate(good) if byte]
    refused = []
    for place in random.Random(11).sample(places, 150):
        data = bytearray(good)
        data[place] ^= 0x80
        path.write_bytes(data)
        try:
            journal.acknowledged("n", "c")
            journal.delivered("n", "b")
        except StorageError as error:
            refused.append(str(error))
        journal.close()
    assert len(refused) > 50
    assert [said for said in refused if "cannot be trusted" not in said and "readonly" not in said] == []


def test_the_lock_is_for_its_owner_alone_and_there_while_it_is_open(path: Path) -> None:
    journal = Journal(path)
    journal.acknowledge("n", "b", RECORDS)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert "journal.sqlite.lock" in names(path)
    journal.close()
    assert os.listdir(path.parent) == ["journal.sqlite"]  # noqa: PTH208 - the lock is gone
