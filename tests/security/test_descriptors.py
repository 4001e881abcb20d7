"""Started without stdin, stdout or stderr, a command does its work and no file gets the number of a missing stream."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.emulator.running import RunningEmulator, running
from tests.cli.command import COMMAND, KEY, environment, listed, raw_results


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with running(fill_ended=1, records=20, retry_after=0) as emulator:
        yield emulator


def started(words: str, redirections: str, *, cwd: Path, base_url: str) -> subprocess.CompletedProcess[str]:
    """A command as a shell starts it."""
    line = f"exec {shlex.join(COMMAND)} {words} {redirections}"
    return subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=cwd,
        env=environment(base_url, KEY),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("redirections", ["<&-", "2>&-", ">&-", "<&- >&- 2>&-"])
def test_a_run_without_a_standard_stream_delivers_all_the_same(
    tmp_path: Path, emulator: RunningEmulator, redirections: str
) -> None:
    done = started("run --all --report report.json", redirections, cwd=tmp_path, base_url=emulator.base_url)
    [batch_id] = listed(emulator)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"results/{batch_id}.jsonl").read_bytes() == raw_results(emulator, batch_id) + b"\n"
    assert done.stdout == done.stderr == ""


@pytest.mark.parametrize("redirections", [">&-", ">/dev/full"])
@pytest.mark.parametrize("words", ["list", "completion bash", "run --all --json", "run --all --to -"])
def test_data_that_nobody_can_get_is_no_success(
    tmp_path: Path, emulator: RunningEmulator, words: str, redirections: str
) -> None:
    done = started(words, redirections, cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 1
    assert "this is a mistake in streamer" not in done.stderr
    assert all(line.startswith("streamer: ") for line in done.stderr.splitlines())
    assert done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.stat().st_size == 0] == []


def test_no_ids_come_from_a_stdin_that_is_not_there(tmp_path: Path, emulator: RunningEmulator) -> None:
    done = started("run --ids-from -", "<&-", cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 2
    assert "- holds no ids" in done.stderr
