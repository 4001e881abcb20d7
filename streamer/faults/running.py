"""The proxy in a process of its own, for tests: a client that hangs cannot take it along."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamer.faults.proxy import STATS_PATH
from streamer.faults.script import Script
from streamer.faults.upstream import Upstream
from streamer.serverprocess import ServerProcess, started


class RunningFaults:
    """A proxy that listens.

    Attributes:
        base_url: its address, to use in place of the upstream's, e.g. `http://127.0.0.1:40123`.
        pid: its process.
    """

    def __init__(self, child: ServerProcess) -> None:
        self._child = child
        self.base_url = child.base_url
        self.pid = child.pid

    def stats(self) -> dict[str, Any]:
        """What it has counted so far.

        `connections` and `open_connections`; by operation `requests`, `with_key` (those that came with a key, a token
        or a cookie) and `with_range`; `faults`, how often each one struck.
        """
        return self._child.ask(STATS_PATH)

    def close(self) -> None:
        """Stop it; closing twice is fine.

        Raises:
            RuntimeError: it had failed before; the message has what it said.
        """
        self._child.close()


@contextmanager
def running(upstream_url: str, *faults: str, seed: int = 0) -> Iterator[RunningFaults]:
    """Run the proxy while the block runs.

    >>> with streamer.emulator.running.running(fill_ended=1) as emulator:
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
    with started("the fault proxy", [*command, upstream_url]) as child:
        yield RunningFaults(child)
