"""What happens to the files between two runs, and places that cannot be written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamer.report import Outcome
from tests.cli.command import COMMAND, Started
from tests.durability.harness import Truth, through


async def test_files_that_were_harmed_between_two_runs_are_told_apart(truth: Truth, tmp_path: Path) -> None:
    (await through(truth, tmp_path)).assert_exact()
    short, gone, linked = truth.ids
    paths = [tmp_path / f"{batch_id}.jsonl" for batch_id in truth.ids]
    lines = truth.bodies[short].splitlines(keepends=True)
    paths[0].write_bytes(b"".join(lines[:-1]))
    paths[1].unlink()
    paths[2].rename(tmp_path / "elsewhere")
    paths[2].symlink_to(tmp_path / "elsewhere")
    ran = await through(truth, tmp_path)
    assert ran.batches[short].outcome is Outcome.INCOMPLETE
    assert "move it away" in ran.batches[short].error
    assert paths[0].read_bytes() == b"".join(lines[:-1])
    assert ran.final(gone) == truth.bodies[gone]
    assert "symbolic link" in ran.batches[linked].error
    assert (tmp_path / "elsewhere").read_bytes() == truth.bodies[linked]
    assert ran.stats["requests"]["results"] == 1


async def test_a_growing_file_that_was_shortened_or_lost_a_line_is_filled_up(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "fin@70%")
    assert len(ran.errors) == 3
    one, two, three = (tmp_path / f"{batch_id}.jsonl.part" for batch_id in truth.ids)
    one.write_bytes(one.read_bytes()[:5000])
    two.write_bytes(b"")
    lines = three.read_bytes().splitlines(keepends=True)
    three.write_bytes(b"".join(lines[:10] + lines[11:]))
    ran = await through(truth, tmp_path)
    ran.assert_same_records()
    for batch_id in truth.ids[:2]:
        assert ran.final(batch_id) == truth.bodies[batch_id]


async def test_a_place_that_cannot_be_written_is_told_before_any_results_are_asked_for(
    truth: Truth, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ran = await through(truth, tmp_path / "file" / "results")
    assert len(ran.errors) == 3
    assert "is a file where a directory should be" in ran.errors[0]
    assert "results" not in ran.stats["requests"]


@pytest.mark.parametrize("files", [40, 64])
def test_with_few_descriptors_fewer_batches_at_once_are_delivered_and_all_of_them(
    crowd: Truth, tmp_path: Path, files: int
) -> None:
    words = ["run", "--all", "--concurrency", "64", "--poll-interval", "0.2", "--report", "report.json"]
    words += ["--to", "one/{batch_id}.jsonl", "--to", "two/{batch_id}.jsonl"]
    before = crowd.emulator.stats()["requests"]["results"]
    limited = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *COMMAND]
    with Started(*words, cwd=tmp_path, base_url=crowd.emulator.base_url, command=limited) as started:
        done = started.done
    assert done.returncode == 0, done.stderr
    [told] = done.stderr.splitlines()
    assert re.fullmatch(rf"streamer: warning: \d batch.* instead of 64, as this process may have {files} files.*", told)
    assert crowd.emulator.stats()["requests"]["results"] - before == len(crowd.bodies)
    for folder in ("one", "two"):
        assert {path.stem: path.read_bytes() for path in (tmp_path / folder).iterdir()} == crowd.bodies


def test_the_soft_limit_of_descriptors_is_raised(crowd: Truth, tmp_path: Path) -> None:
    words = ("run", "--all", "--concurrency", "64", "--poll-interval", "0.2")
    limited = ["sh", "-c", 'ulimit -S -n 40; exec "$@"', "sh", *COMMAND]
    with Started(*words, cwd=tmp_path, base_url=crowd.emulator.base_url, command=limited) as started:
        assert (started.done.returncode, started.done.stderr) == (0, "")
    files = {path.stem: path.read_bytes() for path in (tmp_path / "results").iterdir()}
    assert files == crowd.bodies
