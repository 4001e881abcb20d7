"""A server of ours in a process of its own: what the one who starts it and the server itself agree on.

The server is started with `--json --until-stdin-closes` and two pipes. On its standard output it says in one line of
JSON where it listens; it ends, with exit code 0, when its standard input does. So it cannot outlive who started it,
not even one that was killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import selectors
import stat
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

START_SECONDS = 30.0  # a busy machine may take this long to start an interpreter
STOP_SECONDS = 10.0  # for an orderly end, and for an answer
STDIN = 0  # its descriptor
# Variables that hold keys, headers with keys, or the name and password for a proxy.
KEPT_FROM_CHILDREN = re.compile(
    r"^ANTHROPIC_|_proxy$|(^|_)(API_?)?KEY($|_)|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE
)


class ServerProcess:
    """A server that listens, seen by the one who started it.

    Attributes:
        base_url: e.g. `http://127.0.0.1:40123`.
        pid: its process.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        self._name = name
        self._process = process
        self._complaints = complaints  # its stderr
        self.base_url = ""
        self.pid = process.pid

    def __repr__(self) -> str:
        return f"<ServerProcess {self._name}, process {self.pid}, {self.base_url or 'not listening'}>"

    def ask(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        """The object that it answers with; a GET without a `body`, else a POST."""
        # Past any proxy of the environment: this never leaves the machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.base_url + path, data=body, timeout=STOP_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def wait_until_it_listens(self) -> None:
        """Learn its address.

        Raises:
            RuntimeError: it ended, or said nothing for `START_SECONDS`; the message has what it said on stderr.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if selector.select(START_SECONDS) else b""
        if not line:
            raise RuntimeError(f"{self._name} did not start within {START_SECONDS:g} s: {self._said()}")
        self.base_url = json.loads(line)["base_url"]

    def close(self) -> None:
        """Stop it; closing twice is fine.

        Raises:
            RuntimeError: it had failed before; the message has what it said on stderr.
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
            raise RuntimeError(f"{self._name} ended with exit code {code}: {self._said()}")

    def _said(self) -> str:
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace").strip() or "it said nothing"


@contextmanager
def started(name: str, command: Sequence[str]) -> Iterator[ServerProcess]:
    """Run a server while the block runs.

    Args:
        name: what it is called in errors, e.g. `the emulator`.
        command: starts it, and makes it keep to what this module says.

    Raises:
        RuntimeError: it did not start, or failed while it ran.
    """
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603 - our own commands, of words that were checked
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, env=without_keys(os.environ)
        )
        child = ServerProcess(name, process, complaints)
        try:
            child.wait_until_it_listens()
            yield child
        except BaseException:
            with suppress(RuntimeError):  # what is being raised matters more
                child.close()
            raise
        child.close()


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a server that needs no key: nothing in it that may hold one.

    >>> without_keys({"PATH": "/bin", "ANTHROPIC_API_KEY": "k", "AWS_SECRET_ACCESS_KEY": "k", "https_proxy": "u:p@h"})
    {'PATH': '/bin'}
    """
    return {name: value for name, value in environ.items() if not KEPT_FROM_CHILDREN.search(name)}


def ready(base_url: str) -> str:
    """The line of JSON by which a server says that it listens."""
    return json.dumps({"base_url": base_url, "pid": os.getpid()})


async def watch_stdin(ended: asyncio.Event) -> None:
    """In the server: set `ended` as soon as nobody holds the other end of standard input any more.

    Raises:
        ValueError: standard input is no pipe.
    """
    if not _is_pipe(STDIN):
        raise ValueError("--until-stdin-closes needs a pipe as standard input")
    # A copy, as libuv aborts the process rather than close standard input itself.
    stdin = os.fdopen(os.dup(STDIN), "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: _Closing(ended), stdin)


class _Closing(asyncio.Protocol):
    """Notices the end of a pipe."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody holds the other end any more."""
        self._ended.set()


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:  # it is closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
