"""`streamer submit`, `list`, `show`, `cancel` and `delete`: the life of a batch from the command line."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.emulator.process import RunningEmulator, running
from tests.cli.command import COMMAND, KEY, environment, listed, streamer

REQUEST = {"model": "claude-opus-5-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def workspace() -> Iterator[RunningEmulator]:
    """Two batches that have ended, and new ones that last for hours."""
    with running(fill_ended=2, records=5, duration=36_000, cancel_duration=0.01) as emulator:
        yield emulator


def test_a_batch_is_submitted_listed_shown_canceled_and_deleted(tmp_path: Path, workspace: RunningEmulator) -> None:
    def command(*words: str) -> str:
        done = streamer(*words, cwd=tmp_path, base_url=workspace.base_url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # A BOM, blank lines and Windows line ends are no fault.
    lines = [json.dumps({"custom_id": f"q-{n}", "params": REQUEST}) for n in range(3)]
    (tmp_path / "my.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode())
    batch_id = command("submit", "my.jsonl").strip()
    assert listed(workspace)[0] == batch_id
    header, newest, older = command("list", "--limit", "2").splitlines()
    assert header.split()[:2] == ["BATCH", "STATUS"]
    assert newest.split()[:3] == [batch_id, "in_progress", "3"]
    assert older.split()[1:7] == ["ended", "5", "5", "succeeded", *older.split()[5:7]]
    assert json.loads(command("show", batch_id, "--json"))["request_counts"]["processing"] == 3
    assert command("cancel", batch_id) == f"{batch_id} canceling, 3 requests (3 processing)\n"
    assert "3 requests (3 canceled)" in command("show", batch_id)
    assert command("delete", "--yes", batch_id) == f"{batch_id} deleted\n"
    assert batch_id not in listed(workspace)


def test_list_as_json_is_the_api_s_objects(tmp_path: Path, workspace: RunningEmulator) -> None:
    done = streamer("list", "--json", cwd=tmp_path, base_url=workspace.base_url)
    batches = [json.loads(line) for line in done.stdout.splitlines()]
    assert [batch["id"] for batch in batches] == listed(workspace)
    assert {"id", "processing_status", "request_counts", "created_at", "expires_at", "results_url"} <= set(batches[0])


@pytest.mark.parametrize(("answer", "left"), [("n", 2), ("y", 1)])
def test_delete_names_the_batch_and_asks_on_a_terminal(
    tmp_path: Path, workspace: RunningEmulator, answer: str, left: int
) -> None:
    batch_id = listed(workspace)[-1]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "delete", batch_id],
        cwd=tmp_path,
        env=environment(workspace.base_url, KEY),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, answer.encode() + b"\n")
    process.communicate(timeout=60)
    os.close(ours)
    assert f"to delete: {batch_id} ended, 5 requests (5 succeeded)".encode() in shown
    assert process.returncode == (0 if answer == "y" else 1)
    assert len(listed(workspace)) == left


def test_one_batch_that_cannot_be_deleted_stops_no_other(tmp_path: Path, workspace: RunningEmulator) -> None:
    request = json.dumps({"custom_id": "a", "params": REQUEST})
    running_id = streamer("submit", "-", cwd=tmp_path, base_url=workspace.base_url, stdin=request).stdout.strip()
    ended = listed(workspace)[-1]
    done = streamer("delete", "--yes", running_id, ended, cwd=tmp_path, base_url=workspace.base_url)
    assert done.returncode == 1
    assert done.stdout == f"{ended} deleted\n"
    assert f"{running_id} in_progress" in done.stderr
    assert "`streamer cancel` it first" in done.stderr
