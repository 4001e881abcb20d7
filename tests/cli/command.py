"""Runs the command line as a person does: a process of its own, with an environment, in a folder."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

from streamer.emulator.running import RunningEmulator

COMMAND = [sys.executable, "-m", "streamer"]
KEY = "canary-key-73219"  # no output, file or command line may ever hold it


def environment(base_url: str | None, key: str | None) -> dict[str, str]:
    """What the command sees: this process's environment without keys, but for the ones given."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    env["COLUMNS"] = "120"
    if base_url is not None:
        env["ANTHROPIC_BASE_URL"] = base_url
    if key is not None:
        env["ANTHROPIC_API_KEY"] = key
    return env


def asked(emulator: RunningEmulator, path: str) -> bytes:
    """What the emulator answers to a request of our own."""
    headers = {"x-api-key": emulator.api_key, "anthropic-version": "2023-06-01"}
    request = urllib.request.Request(f"{emulator.base_url}/v1/messages/batches{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        body: bytes = answer.read()
    return body


def listed(emulator: RunningEmulator) -> list[str]:
    """The ids of all batches, newest first."""
    return [batch["id"] for batch in json.loads(asked(emulator, "?limit=1000"))["data"]]


def raw_results(emulator: RunningEmulator, batch_id: str) -> bytes:
    """The results of a batch, as they come."""
    return asked(emulator, f"/{batch_id}/results")


def streamer(
    *words: str, cwd: Path, base_url: str | None = None, key: str | None = KEY, stdin: str | bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=cwd,
        env=environment(base_url, key),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=100,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def answered(*words: str, question: str, answer: str, cwd: Path, base_url: str) -> tuple[int, str]:
    """Exit code of a command, and what it showed at a terminal where its question got this answer."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=cwd,
        env=environment(base_url, KEY),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while question.encode() not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, answer.encode() + b"\n")
    process.communicate(timeout=60)
    os.close(ours)
    return process.returncode, shown.decode()


class Started:
    """A command that runs beside the tests.

    Attributes:
        process: its process; stdout and stderr are pipes unless told otherwise.
        folder: where it runs.
        base_url: what it talks to.
    """

    def __init__(
        self,
        *words: str,
        cwd: Path,
        base_url: str | None,
        key: str | None = KEY,
        stderr: int = subprocess.PIPE,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.folder = cwd
        self.base_url = base_url
        self.process = subprocess.Popen(
            [*command, *words],
            cwd=cwd,
            env={**environment(base_url, key), "TERM": "xterm-256color"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self.process.communicate()

    @cached_property
    def done(self) -> subprocess.CompletedProcess[str]:
        """How it ended and what it wrote; waits for that."""
        out, err = self.process.communicate(timeout=100)
        return subprocess.CompletedProcess(
            self.process.args, self.process.returncode, out.decode(), (err or b"").decode()
        )
