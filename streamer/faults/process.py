"""The proxy in a process of its own, for tests: a client that hangs cannot take it along."""

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

from streamer.faults.proxy import STATS_PATH
from streamer.faults.script import Script
from streamer.faults.upstream import Upstream

START_SECONDS = 30.0  # a busy machine may take this long to start an interpreter
STOP_SECONDS = 10.0


class RunningFaults:
    """A proxy that listens.

    Attributes:
        base_url: its address, to use in place of the upstream's, e.g. `http://127.0.0.1:40123`.
        pid: its process.
    """

    def __init__(self, process: subprocess.Popen[bytes], base_url: str, complaints: IO[bytes]) -> None:
        self._process = process
        self._complaints = complaints
        self.base_url = base_url
        self.pid = process.pid

    def stats(self) -> dict[str, Any]:
        """What it has counted so far.

        `connections` and `open_connections`; by operation `requests`, `with_key` (those that came with a key, a token
        or a cookie) and `with_range`; `faults`, how often each one struck.
        """
        # Past any proxy of the environment: this never leaves the machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.base_url}{STATS_PATH}", timeout=STOP_SECONDS) as answer:
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
            raise RuntimeError(f"the fault proxy ended with exit code {code}: {_said(self._complaints)}")


@contextmanager
def running(upstream_url: str, *faults: str, seed: int = 0) -> Iterator[RunningFaults]:
    """Run the proxy while the block runs.

    >>> with streamer.emulator.process.running(fill_ended=1) as emulator:
    ...     with running(emulator.base_url, "results:fin@50%,n=1") as proxy:
    ...         my_code(base_url=proxy.base_url, api_key=emulator.api_key)
    ...         assert proxy.stats()["faults"] == {"results:fin@50%,n=1": 1}

    Args:
        upstream_url: the server to stand in front of.
        faults: what to do to the answers; see the README of this package. Without any they pass whole.
        seed: decides everything that is random.

    Raises:
        ValueError: a fault that cannot be read, or no such URL.
        RuntimeError: it did not start, or failed while it ran.
    """
    Upstream.parse(upstream_url)
    Script(faults, seed)  # says what is wrong with them here rather than in another process
    command = [sys.executable, "-m", "streamer.faults", "--json", "--until-stdin-closes", f"--seed={seed}"]
    command += [f"--fault={fault}" for fault in faults]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603 - our own command, with faults that were read and found right
            [*command, upstream_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
        )
        proxy = RunningFaults(process, "", complaints)
        try:
            proxy.base_url = _ready(process, complaints)
            yield proxy
        except BaseException:
            with suppress(RuntimeError):  # what is being raised matters more
                proxy.close()
            raise
        proxy.close()


def _ready(process: subprocess.Popen[bytes], complaints: IO[bytes]) -> str:
    """Its base URL, once it listens."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(START_SECONDS) else b""
    if not line:
        raise RuntimeError(f"the fault proxy did not start within {START_SECONDS:g} s: {_said(complaints)}")
    base_url: str = json.loads(line)["base_url"]
    return base_url


def _said(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    return complaints.read().decode(errors="replace").strip() or "it said nothing"
