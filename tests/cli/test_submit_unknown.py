"""Where nobody can tell whether a batch was created, a person is asked, and a pipe is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from streamer.emulator.running import RunningEmulator, running
from streamer.progress import Progress, Work
from streamer.project.project import Project
from tests.cli.command import answered, listed, streamer

PARAMS = {"model": "claude-opus-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}
WORDS = ("submit", "my.jsonl")


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with running(duration=36_000) as emulator:
        yield emulator


@pytest.fixture
def candidates(tmp_path: Path, emulator: RunningEmulator) -> list[str]:
    """Two batches of somebody else, in progress and of the right size, after a create that was interrupted."""
    (tmp_path / "my.jsonl").write_text(json.dumps({"custom_id": "mine", "params": PARAMS}))
    project = Project(tmp_path / "my.jsonl.streamer")
    project.plan(
        [tmp_path / "my.jsonl"],
        (),
        progress=Progress(Work.CHECKING),
        stop=Event(),
    )
    project.ledger.intend(1, 0.0, 0.0, before=listed(emulator))
    project.close()
    for name in ("x", "y"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"custom_id": name, "params": PARAMS}))
        assert streamer("submit", f"{name}.jsonl", cwd=tmp_path, base_url=emulator.base_url).returncode == 0
    return listed(emulator)[:2]


def test_a_pipe_is_told_the_ids_and_what_to_say(
    tmp_path: Path, emulator: RunningEmulator, candidates: list[str]
) -> None:
    before = emulator.stats()["batches_created"]
    done = streamer(*WORDS, cwd=tmp_path, base_url=emulator.base_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert all(one in done.stderr for one in candidates)
    named = streamer(*WORDS, "--on-unknown", candidates[0], cwd=tmp_path, base_url=emulator.base_url)
    assert (named.returncode, named.stdout.strip()) == (0, candidates[0])
    assert emulator.stats()["batches_created"] == before


@pytest.mark.parametrize("answer", ["the second", "resend", ""])
def test_a_person_is_asked(tmp_path: Path, emulator: RunningEmulator, candidates: list[str], answer: str) -> None:
    said = candidates[1] if answer == "the second" else answer
    before = emulator.stats()["batches_created"]
    code, shown = answered(*WORDS, question="to stop here:", answer=said, cwd=tmp_path, base_url=emulator.base_url)
    assert "cannot be told" in shown
    assert code == (0 if said else 1)
    assert emulator.stats()["batches_created"] - before == (said == "resend")
