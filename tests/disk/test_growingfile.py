"""A file that one process alone appends to."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.disk.directory import Directory
from streamer.disk.growingfile import MOST_PIECES, GrowingFile, left, open_alone
from streamer.errors import InUseError, StorageError


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    directory = Directory(tmp_path)
    yield directory
    directory.close()


def opened(directory: Directory) -> GrowingFile:
    file = open_alone(directory, "x")
    assert file is not None
    return file


def test_pieces_are_appended_in_order_and_it_can_be_cut(directory: Directory) -> None:
    with opened(directory) as file:
        file.append([b"one ", b"", b"two "])
        file.append([b"%d " % n for n in range(2 * MOST_PIECES)])
        whole = (directory.path / "x").read_bytes()
        assert whole.startswith(b"one two 0 1 2")
        assert len(whole.split()) == 2 + 2 * MOST_PIECES
        assert file.size == len(whole)
        file.cut(7)
        file.append([b"!"])
        assert file.size == 8
    with opened(directory) as file:
        assert file.size == 8
    assert (directory.path / "x").read_bytes() == b"one two!"


@given(st.lists(st.binary(max_size=5)), st.integers(0, 30))
def test_what_is_left_when_the_system_took_less(pieces: list[bytes], written: int) -> None:
    assert b"".join(left(pieces, written)) == b"".join(pieces)[written:]


def test_a_file_that_others_could_read_is_closed_to_them(directory: Directory) -> None:
    path = directory.path / "x"
    path.write_bytes(b"")
    path.chmod(0o664)
    opened(directory).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_no_plain_file_of_ours_alone_is_refused(directory: Directory) -> None:
    path, other = directory.path / "x", directory.path / "other"
    other.write_bytes(b"precious")
    path.hardlink_to(other)
    with pytest.raises(StorageError, match=r"x is not this user's alone .* remove it or choose another target"):
        open_alone(directory, "x")
    path.unlink()
    path.symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        open_alone(directory, "x")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StorageError, match="it is not a plain file"):
        open_alone(directory, "x")
    assert other.read_bytes() == b"precious"


def test_one_at_a_time(directory: Directory) -> None:
    with opened(directory):
        with pytest.raises(InUseError, match="is being written by another process"):
            open_alone(directory, "x")
    opened(directory).close()


FORKING = """
import os, sys
from pathlib import Path
from streamer.disk.directory import Directory
from streamer.disk.growingfile import open_alone
file = open_alone(Directory(Path(sys.argv[1])), "x")
if os.fork() == 0:
    os.write(1, b"x")
    os.read(0, 1)  # it lives until the test lets it
    os._exit(0)
if sys.argv[2] == "close":
    file.close()
if sys.argv[2] == "kill":
    os.kill(os.getpid(), 9)
os.wait()
"""


@pytest.mark.parametrize("end", ["close", "kill"])
def test_a_forked_child_keeps_nobody_out(directory: Directory, end: str) -> None:
    """As `multiprocessing` forks, while a file is open; then its parent is done with it, or dies."""
    words = [sys.executable, "-c", FORKING, str(directory.path), end]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.read(1)
        wait_for_release(directory) if end == "close" else process.wait(10)
        opened(directory).close()
        process.stdin.close()


def wait_for_release(directory: Directory) -> None:
    while True:
        try:
            return opened(directory).close()
        except InUseError:
            continue


CHILD_CLOSES = """
import os, sys
from pathlib import Path
from streamer.disk.directory import Directory
from streamer.disk.growingfile import open_alone
directory = Directory(Path(sys.argv[1]))
file = open_alone(directory, "x")
child = os.fork()
if child == 0:
    file.close()
    os._exit(0)
os.waitpid(child, 0)
open_alone(directory, "x")
"""


def test_a_forked_child_does_not_let_go_of_its_parents_lock(directory: Directory) -> None:
    words = [sys.executable, "-c", CHILD_CLOSES, str(directory.path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "InUseError" in done.stderr
