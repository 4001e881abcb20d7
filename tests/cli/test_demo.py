"""`streamer demo`: what a newcomer types first."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections import Counter
from pathlib import Path

from tests.cli.command import Started, streamer


def test_the_demo_delivers_20_batches_with_records_of_every_type(demo: Started) -> None:
    assert demo.done.returncode == 0
    assert "20 of 20 batches delivered" in demo.done.stdout
    files = list((demo.folder / "streamer-demo").iterdir())
    assert len(files) == 20
    records = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    types = Counter(record["result"]["type"] for record in records)
    assert sum(types.values()) == 1000
    assert set(types) == {"succeeded", "errored", "canceled", "expired"}
    assert all(f"{count:,} {name}" in demo.done.stdout for name, count in types.items())
    kinds = {block["type"] for record in records for block in record["result"].get("message", {}).get("content", [])}
    assert {"text", "thinking", "tool_use"} <= kinds


def test_what_the_demo_tells_to_type_works(demo: Started) -> None:
    lines = demo.done.stdout.splitlines()
    commands = [line.strip() for line in lines[lines.index("to look at them:") + 1 :]]
    assert len(commands) == 3
    for command in commands[:2]:  # jq may not be installed
        subprocess.run(["bash", "-ec", command], cwd=demo.folder, check=True, capture_output=True, timeout=30)


def test_the_demo_leaves_no_emulator_behind(demo: Started) -> None:
    assert demo.done.returncode == 0
    pid = shlex.split(demo.done.stderr)[demo.done.stderr.split().index("process") + 1].rstrip(",")
    listing = subprocess.run(["ps", "-o", "args=", "-p", pid], capture_output=True, text=True, check=False)
    assert "streamer" not in listing.stdout


def test_a_file_where_the_demo_would_write_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    done = streamer("demo", "--to", "taken", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "streamer: --to taken is no directory; name one, it is made if it is not there\n"
    assert (tmp_path / "taken").read_text() == "mine"
