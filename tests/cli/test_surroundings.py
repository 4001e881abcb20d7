"""What surrounds a command is looked at before it begins: one sentence, and nothing half done."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.cli.surroundings import MOST_FILES, raise_limit
from tests.cli.command import COMMAND, KEY, environment
from tests.cli.conftest import Refused

LONG = "x" * 252  # a name by itself, but not with `.part`


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, "run", "msgbatch_1", "--report", "report.json"],
        cwd=tmp_path,
        env=environment("http://127.0.0.1:9", KEY) | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "streamer: the working directory is gone: it was removed or moved away; change to one that is there\n"
    )


@pytest.mark.parametrize("option", [("--json",), ("--report", "report.json")])
def test_a_path_that_json_cannot_tell_of(refused: Refused, tmp_path: Path, option: tuple[str, ...]) -> None:
    target = os.fsdecode(b"out\xff/{batch_id}.jsonl")
    said = refused("run", "msgbatch_1", "--to", target, *option, cwd=tmp_path)
    assert r"'out\udcff/{batch_id}.jsonl' is no UTF-8, in which --json and --report tell of it" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("run", "msgbatch_1", "--to", "x" * 220 + "{batch_id}"),
        ("run", "msgbatch_1", "--to", LONG + "/{batch_id}x/" + "y" * 256 + "/z"),
        ("run", "msgbatch_1", "--rejects", "x" * 220 + "{batch_id}"),
        ("run", "msgbatch_1", "--report", LONG),
        ("run", "x" * 300),
        ("process", "r.jsonl", "--to", LONG),
        ("process", "r.jsonl", "--to", "a.jsonl", "--project", "x" * 256),
        ("process", "y" * 252, "--to", "a.jsonl"),
        ("submit", "r.jsonl", "--project", "x" * 256 + "/y"),
        ("retry", "a.jsonl", "--requests", "r.jsonl", "--to", LONG),
    ],
)
def test_a_name_that_no_file_can_have_is_told_first(refused: Refused, tmp_path: Path, words: tuple[str, ...]) -> None:
    for name in ("r.jsonl", "a.jsonl", "y" * 252):
        (tmp_path / name).write_text("")
    said = refused(*words, cwd=tmp_path)
    assert "no file can be called '" in said or "is not a batch id" in said or "nor can a batch be called so" in said
    assert said.count("\n") == 1
    assert len(list(tmp_path.iterdir())) == 3


def test_the_limit_of_open_files_is_raised_as_far_as_it_may(tmp_path: Path) -> None:
    script = (
        "import resource; from streamer.cli.surroundings import raise_limit\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200)); raise_limit()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "(200, 200)\n"
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    raise_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(before[1], MOST_FILES)
