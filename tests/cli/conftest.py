"""An emulator for the command line's tests, in a process of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from streamer.cli import main
from streamer.emulator.running import RunningEmulator, running
from tests.cli import strange
from tests.cli.command import KEY, Started


class Refused(Protocol):
    """Runs a command that has to be refused; what it says."""

    def __call__(self, *words: str, cwd: Path) -> str: ...


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that has to be refused, inside this process, as that is ten times as fast; what it says."""

    def run(*words: str, cwd: Path) -> str:
        monkeypatch.chdir(cwd)
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
        try:
            code: object = main(words)
        except SystemExit as exit_:
            code = exit_.code
        written = capsys.readouterr()
        assert (code, written.out) == (2, "")
        return written.err

    return run


@pytest.fixture(scope="session")
def emulator() -> Iterator[RunningEmulator]:
    """A workspace of six ended batches of 30 records, among them failures."""
    with running(fill_ended=6, records=30, mix="succeeded=0.8,errored=0.2", duration=0.2, retry_after=0) as emulator:
        yield emulator


SLOW = ("wrong_batches", "demo", "unreachable")


@pytest.fixture(scope="session", autouse=True)
def _slow_ones_started(request: pytest.FixtureRequest) -> None:
    """What waits for the clock and not for the processor starts first, and is looked at when it is done."""
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    for name in SLOW:
        if name in wanted:
            request.getfixturevalue(name)


@pytest.fixture(scope="session")
def wrong_batches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Started, list[str]]]:
    """`streamer run` over a good batch and bad ones, and the paths it asked for; a missing batch is waited for."""
    words = ("run", *strange.ALL, "--json", "--poll-interval", "0.2", "--report", "report.json")
    folder = tmp_path_factory.mktemp("wrong")
    with strange.serving() as server, Started(*words, cwd=folder, base_url=server.url) as started:
        yield started, server.paths


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """`streamer demo`, which takes about ten seconds."""
    with Started("demo", cwd=tmp_path_factory.mktemp("demo"), base_url=None, key=None) as started:
        yield started


@pytest.fixture(scope="session")
def unreachable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """`streamer run` against a port where nobody listens, which it notices after ten seconds."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        folder = tmp_path_factory.mktemp("unreachable")
        with Started("run", "msgbatch_1", cwd=folder, base_url=base_url) as started:
            yield started
