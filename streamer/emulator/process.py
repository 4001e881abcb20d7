"""The emulator in a process of its own, for tests and for `streamer demo`."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from streamer.emulator.settings import Settings

START_SECONDS = 30.0  # a busy machine may take this long to start an interpreter
STOP_SECONDS = 10.0

API_KEY = "test-key"  # accepted unless `key` lists others


class RunningEmulator:
    """An emulator that listens.

    Attributes:
        base_url: e.g. `http://127.0.0.1:40123`.
        api_key: a key that it accepts.
        pid: its process.
    """

    def __init__(self, process: subprocess.Popen[bytes], base_url: str, api_key: str, complaints: IO[bytes]) -> None:
        self._process = process
        self._complaints = complaints
        self.base_url = base_url
        self.api_key = api_key
        self.pid = process.pid

    def stats(self) -> dict[str, Any]:
        """What it has counted so far: requests by operation, answers by status, bytes, downloads."""
        return self._call("stats", None)

    def advance(self, seconds: float) -> None:
        """Move its clock forward."""
        self._call("advance", json.dumps({"seconds": seconds}).encode())

    def _call(self, name: str, body: bytes | None) -> dict[str, Any]:
        # Past any proxy of the environment: this never leaves the machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.base_url}/_emulator/{name}", data=body, timeout=STOP_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def close(self) -> None:
        """Stop it; closing twice is fine.

        Raises:
            RuntimeError: it had failed before; the message has what it said.
        """
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()  # the end of its standard input is what ends it
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code != 0 and not self._complaints.closed:
            raise RuntimeError(f"the emulator ended with exit code {code}: {_said(self._complaints)}")


@contextmanager
def running(**switches: Any) -> Iterator[RunningEmulator]:
    """Run the emulator while the block runs; the arguments are the fields of `Settings`.

    It cannot outlive this process: when we are killed, its standard input closes and it ends.

    >>> with running(speed=1000, fill=2) as emulator:
    ...     emulator.stats()["batches_created"]
    0

    Raises:
        ValueError, TypeError: settings that cannot be.
        RuntimeError: it did not start, or failed while it ran.
    """
    settings = Settings(**switches)
    command = [sys.executable, "-m", "streamer", "serve", "--json", "--until-stdin-closes", *settings.argv()]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603 - our own command; every word of it comes from Settings
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
        )
        emulator = RunningEmulator(process, "", settings.key[0] if settings.key else API_KEY, complaints)
        try:
            emulator.base_url = _ready(process, complaints)
            yield emulator
        except BaseException:
            with suppress(RuntimeError):  # what is being raised matters more
                emulator.close()
            raise
        emulator.close()


def _ready(process: subprocess.Popen[bytes], complaints: IO[bytes]) -> str:
    """Its base URL, once it listens."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(START_SECONDS) else b""
    if not line:
        raise RuntimeError(f"the emulator did not start within {START_SECONDS:g} s: {_said(complaints)}")
    base_url: str = json.loads(line)["base_url"]
    return base_url


def _said(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    return complaints.read().decode(errors="replace").strip() or "it said nothing"
