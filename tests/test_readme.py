"""The README's examples run as they are printed, ids and the pause between two looks aside, against the emulator."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.emulator.running import RunningEmulator, running
from tests.cli.command import KEY, environment, listed

README = (Path(__file__).parent.parent / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHELL = [block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "venv" not in block]
ONE_LINERS = [
    command.replace(r"\|", "|")
    for row in re.findall(r"^\| .*\|$", README, re.MULTILINE)
    for command in re.findall(r"`(streamer (?!cancel)[a-z]+ .*?)`", row)  # what has ended cannot be canceled
]
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="the examples pipe into jq, which is not here")


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with running(fill_ended=2, records=5, duration=0.01, retry_after=0, cancel_duration=0.01) as emulator:
        yield emulator


def request(n: int) -> dict[str, object]:
    params = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": f"question {n}"}]}
    return {"custom_id": f"q-{n}", "params": params}


@pytest.fixture
def folder(tmp_path: Path, emulator: RunningEmulator) -> Path:
    """What the examples speak of."""
    (tmp_path / "requests.jsonl").write_text("".join(json.dumps(request(n)) + "\n" for n in range(4)))
    (tmp_path / "articles.json").write_text(json.dumps([{"id": f"a-{n}", "content": f"text {n}"} for n in range(4)]))
    (tmp_path / "items.csv").write_text("custom_id,item\nb,a lamp\na,a parcel\nc,praise\n")
    params = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    (tmp_path / "params.json").write_text(params[0])
    (tmp_path / "request.json").write_text(params[1])
    (tmp_path / "ids.txt").write_text("\n".join(listed(emulator)[-2:]))
    return tmp_path


def ran(command: list[str], folder: Path, emulator: RunningEmulator) -> subprocess.CompletedProcess[str]:
    env = environment(emulator.base_url, KEY)
    env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False
    )


def shell(script: str, folder: Path, emulator: RunningEmulator) -> subprocess.CompletedProcess[str]:
    """Run commands as a person would, with ids that are there, and without what never ends by itself."""
    first, second = listed(emulator)[-2:]
    script = re.sub(r"\bID\.\.\.|\bID1 ID2\b", f"{first} {second}", script)
    script = re.sub(r"msgbatch_01Hk\.\.\.|\bID\b", first, script)
    script = re.sub(r"^.*--follow.*\n?", "", script, flags=re.MULTILINE)
    script = re.sub(r"^export ANTHROPIC_API_KEY=.*\n", "", script, flags=re.MULTILINE)
    script = re.sub(r"streamer (cancel|delete) \S+;?", "", script)  # which ask
    script = re.sub(r"streamer (process|run)\b", r"streamer \1 --poll-interval 0.1", script)  # in place of ten seconds
    return ran(["bash", "-c", f"set -e -o pipefail\n{script}"], folder, emulator)


def test_the_program(folder: Path, emulator: RunningEmulator) -> None:
    done = ran([sys.executable, "-c", PYTHON[0]], folder, emulator)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("q-1 ")
    assert done.stdout.splitlines()[-1].startswith("True {'succeeded': 1} ")


def test_the_program_with_request_files(folder: Path, emulator: RunningEmulator) -> None:
    [block] = [block for block in PYTHON if "streamer.process(" in block]
    program = f"import asyncio, streamer\nasync def main():\n{textwrap.indent(block, '    ')}\nasyncio.run(main())"
    done = ran([sys.executable, "-c", program], folder, emulator)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("True {'succeeded': 4}\n0.0")


def test_the_fixture(folder: Path, emulator: RunningEmulator) -> None:
    [block] = [block for block in PYTHON if "def test_mine(streamer_emulator)" in block]
    use = "    assert list(client.messages.batches.list()) == []\n"
    (folder / "test_mine.py").write_text(f"import anthropic\n{block}{use}")
    done = ran([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"], folder, emulator)
    assert done.returncode == 0, done.stdout


@needs_jq
@pytest.mark.parametrize("block", SHELL, ids=[block.splitlines()[0][:50] for block in SHELL])
def test_the_blocks_of_commands(block: str, folder: Path, emulator: RunningEmulator) -> None:
    if "streamer serve" in block:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        block = "trap 'kill $!' EXIT\n" + block.replace("8000", str(port))
    if "--expiring" in block:
        block = block.rstrip() + " || [ $? = 2 ]  # as the README says, for there is none\n"
    done = shell(block, folder, emulator)
    assert done.returncode == 0, done.stderr


@needs_jq
@pytest.mark.parametrize("command", ONE_LINERS)
def test_the_one_liners(command: str, folder: Path, emulator: RunningEmulator) -> None:
    kind = command.split()[1]
    if kind == "join":
        assert shell("streamer process requests.jsonl --to x.jsonl", folder, emulator).returncode == 0
        (folder / "results").mkdir()
        shutil.copy(folder / "x.jsonl", folder / "results" / "msgbatch_1.jsonl")
    elif kind == "status":
        assert shell("streamer process requests.jsonl --to answers.jsonl", folder, emulator).returncode == 0
    elif kind == "retry":
        assert shell("streamer process requests.jsonl --to answers.jsonl", folder, emulator).returncode == 0
        (folder / "results").mkdir()
        shutil.copy(folder / "answers.jsonl", folder / "results" / "msgbatch_1.jsonl")
    done = shell(command, folder, emulator)
    # The batches of the emulator answer other requests than ours, which is said, and only their records are missing.
    assert done.returncode == 0 or (kind == "run" and "--requests" in command), done.stderr
    assert "usage" not in done.stderr
    if "| sort" in command:
        assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["a lamp", "a parcel", "praise"]
    if "articles.json" in command:
        assert list(json.loads((folder / "summaries.json").read_text())) == [f"a-{n}" for n in range(4)]


def test_every_file_that_the_tree_names_is_there() -> None:
    tree = README[README.index("## How it is built") :]
    package = Path(__file__).parent.parent / "streamer"
    rooms = re.findall(r"\b([a-z]+)/ ", tree[tree.index("    streamer/\n") :])
    assert {room.name for room in package.iterdir() if (room / "__init__.py").exists()} <= set(rooms)
    for name in re.findall(r"`(?:streamer/)?([a-z]+/[a-z]+\.py|[a-z]+\.py)`", tree):
        assert (package / name).exists(), name
