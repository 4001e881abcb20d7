"""The emulator in a process of its own, for tests and for `streamer demo`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamer.emulator.settings import Settings
from streamer.serverprocess import ServerProcess, started

API_KEY = "test-key"  # accepted unless `key` lists others


class RunningEmulator:
    """An emulator that listens.

    Attributes:
        base_url: e.g. `http://127.0.0.1:40123`.
        api_key: a key that it accepts.
        pid: its process.
    """

    def __init__(self, child: ServerProcess, api_key: str) -> None:
        self._child = child
        self.base_url = child.base_url
        self.api_key = api_key
        self.pid = child.pid

    def stats(self) -> dict[str, Any]:
        """What it has counted so far: requests by operation, answers by status, bytes, downloads."""
        return self._child.ask("/_emulator/stats")

    def advance(self, seconds: float) -> None:
        """Move its clock forward."""
        self._child.ask("/_emulator/advance", json.dumps({"seconds": seconds}).encode())

    def close(self) -> None:
        """Stop it; closing twice is fine.

        Raises:
            RuntimeError: it had failed before; the message has what it said.
        """
        self._child.close()


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
    with started("the emulator", command) as child:
        yield RunningEmulator(child, settings.key[0] if settings.key else API_KEY)
