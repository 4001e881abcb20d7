"""Run the command line and the library through good and bad days with a key that is a canary, and look for it.

    python -m tests.security.canary

Everything is on: `-v`, asyncio's debug mode, DEBUG for every logger, tracebacks with the locals of every frame, pickles
of every error, reprs of every task. Everything that was written or said is kept in one folder and then searched, with
the command line of every process that ran. Exit code 1 when the key is anywhere. Takes a minute or two.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import RetryPolicy
from streamer.api.transport import Timeouts
from streamer.emulator.running import running as emulator
from streamer.errors import StreamerError
from streamer.faults.running import running as faults
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.callback import CallbackSink
from streamer.sinks.file import FileSink
from tests.api.servers import Reply, Server, batch, refusal, reply, sends, stalls
from tests.api.test_secrecy import crash_report, moved, read_results
from tests.cli.command import COMMAND, environment
from tests.clock import FakeClock
from tests.security.finder import Finder

KEY = "Canary7Qx2LmZ9TrWb4KsPd"  # in no file of this project but this one
REQUEST = '{"custom_id":"a","params":{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}}\n'
DAYS_AT_ONCE = 6  # most of them wait
PATIENCE = 25.0  # seconds a command may take; one that waits for something that never comes is killed: also a bad day

# What is wrong with the server, and the words after `streamer`.
BAD_DAYS: Sequence[tuple[tuple[str, ...], str]] = (
    ((), "run --all -v --json --report report.json"),
    ((), "run --all -v --to - --to {batch_id}/x.jsonl"),
    ((), "run --all -v --to callback:builtins:repr --checkpoint done.sqlite"),
    ((), "run --all -v --to callback:operator:truediv"),
    ((), "run ../../etc/passwd msgbatch_0 -v"),
    ((), "list -v"),
    ((), "list --json"),
    ((), "cancel -v msgbatch_0"),
    ((), "submit -v requests.jsonl"),
    ((), "submit -v broken.jsonl"),
    ((), "submit -v requests.jsonl --probe 1"),
    ((), "submit -v nowhere.jsonl"),
    ((), "run --base-url http://remote.example --all"),
    ((), "frobnicate"),
    (("results:fin@50%,n=1", "results:rst@random,n=1"), "run --all -v --report report.json"),
    (("results:poison=garbage@30%",), "run --all -v --report report.json"),
    (("results:gzip_cut,n=1",), "run --all -v"),
    (("results:body=html",), "run --all -v"),
    (("results:big_header=200000",), "run --all -v"),
    (("results:redirect={other}",), "run --all -v --report report.json"),
    (("results:redirect={other}",), "run --all -v --trust-host {other_host}"),
    (("list:redirect={other}",), "run --all -v"),
    (("any:status=401,after=1",), "run --all -v --report report.json"),
    (("any:status=403",), "list -v"),
    (("any:refuse",), "list -v"),
    (("create:fin@head",), "submit -v requests.jsonl"),
)


class CommandLines:
    """The command lines of a process and of those it started, as everybody on the machine can read them."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def look(self, pid: int) -> None:
        """Search them now."""
        with contextlib.suppress(OSError):  # it has ended
            self._finder.text(Path(f"/proc/{pid}/cmdline").read_bytes(), f"the command line of process {pid}")
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                self.look(int(child))


def command(words: Sequence[str], folder: Path, base_url: str, lines: CommandLines, *, end: int = 0) -> None:
    """Run a command in `folder`, where what it says is kept; `end` it with a signal as soon as it has said a word."""
    folder.mkdir()
    (folder / "requests.jsonl").write_text(REQUEST)
    (folder / "broken.jsonl").write_text("{}\n[]\nno\n" + REQUEST * 2)
    env = environment(base_url, KEY) | {"PYTHONDEVMODE": "1", "PYTHONASYNCIODEBUG": "1"}
    with (folder / "said.out").open("wb") as out, (folder / "said.err").open("wb") as err:
        process = subprocess.Popen(
            [*COMMAND, *words], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        until = time.monotonic() + PATIENCE
        while process.poll() is None:
            lines.look(process.pid)
            time.sleep(0.05)
            if end and any(folder.glob("results/*")):
                process.send_signal(end)
                end = 0
            if time.monotonic() > until:
                process.kill()
    (folder / "exit_code").write_text(str(process.returncode))


def commands(folder: Path, finder: Finder) -> None:
    """Every bad day of the command line."""
    lines = CommandLines(finder)
    settings = {"fill_ended": 2, "records": 30, "mix": "succeeded=0.8,errored=0.2", "retry_after": 0}
    with emulator(**settings) as server, faults(server.base_url) as other:
        places = {
            "other": other.base_url,
            "other_host": other.base_url.removeprefix("http://"),
            "batch_id": "{batch_id}",
        }

        def day(number: int) -> None:
            wrong, words = BAD_DAYS[number]
            with faults(server.base_url, *(fault.format(**places) for fault in wrong)) as proxy:
                command(words.format(**places).split(), folder / f"day-{number}", proxy.base_url, lines)

        with ThreadPoolExecutor(DAYS_AT_ONCE) as threads:
            list(threads.map(day, range(len(BAD_DAYS))))
        for end in (signal.SIGINT, signal.SIGKILL):
            with faults(server.base_url, "results:drip=20000") as proxy:
                command(["run", "--all", "-v"], folder / end.name, proxy.base_url, lines, end=end)
        if other.stats()["with_key"]:
            finder.hits.append(f"requests to another host: {other.stats()['with_key']}")
        lines.look(os.getpid())


Use = Callable[[Client], Awaitable[object]]


def uses(folder: Path) -> list[Use]:
    """What a program does with a client."""

    async def into_files(client: Client) -> None:
        await run(
            client,
            ["msgbatch_1"],
            FileSink(str(folder / "{batch_id}.jsonl")),
            RunOptions(rejects=str(folder / "{batch_id}.r")),
        )

    async def into_a_function(client: Client) -> None:
        await run(client, ["msgbatch_1"], CallbackSink(lambda record: 1 / 0), clock=FakeClock())

    async def forgotten(client: Client) -> None:
        task = asyncio.ensure_future(client.retrieve("msgbatch_1"))
        await asyncio.wait([task])  # and nobody asks what it raised

    return [
        lambda client: client.retrieve("msgbatch_1"),
        lambda client: client.list_page(),
        lambda client: client.cancel("msgbatch_1"),
        lambda client: client.delete("msgbatch_1"),
        lambda client: client.create([{"custom_id": "a", "params": {}}]),
        read_results,
        into_files,
        into_a_function,
        forgotten,
    ]


def answers() -> list[Reply]:
    """What servers answer, the worst of them with the key that they were sent."""
    ended = batch(processing_status="ended", results_url="/results")
    return [
        None,
        reply(200, ended),
        reply(200, {**ended, "results_url": "https://elsewhere.example/results"}),
        refusal(400, kind=KEY, error_code=KEY),
        refusal(401),
        refusal(500),
        reply(418, f"you sent {KEY}".encode(), {"request-id": KEY}, content_type=f"text/{KEY}"),
        reply(200, f"<html>{KEY}".encode(), content_type="text/html"),
        moved("https://elsewhere.example/"),
        moved("/loop"),
        sends(f"HTTP/1.1 200 {KEY}\r\n{KEY}: {KEY}\r\ncontent-length: 9\r\n\r\nabc".encode()),
        sends(f"{KEY}\r\n\r\n".encode()),
        sends(b"HTTP/1.1 200 OK\r\nx: " + KEY.encode() * 1000 + b"\r\n\r\n"),
        stalls(),
    ]


async def library(folder: Path, finder: Finder) -> None:
    """Every use of the library against every answer; what is raised, logged, warned of or left is searched."""
    asyncio.get_running_loop().slow_callback_duration = 0.0001  # asyncio's debug mode then prints most tasks
    short = Timeouts(connect=5.0, answer=0.1, upload=0.1, silence=0.05)
    retry = RetryPolicy(attempts=2)
    for number, answer in enumerate(answers()):
        async with Server([answer]) as server:
            client = Client(
                api_key=None if number % 2 else KEY,
                auth_token=KEY if number % 2 else None,
                base_url=server.url,
                options=ClientOptions(timeouts=short, retry=retry),
                clock=FakeClock(),
            )
            async with client:
                for use in uses(folder):
                    await _use(use, client, finder)


async def _use(use: Use, client: Client, finder: Finder) -> None:
    task = asyncio.ensure_future(use(client))
    await asyncio.sleep(0)
    shown = io.StringIO()
    task.print_stack(file=shown)
    finder.text(f"{task!r} {client!r} {vars(client)} {shown.getvalue()}", "a task under way")
    try:
        async with asyncio.timeout(0.3):
            await task
    except (StreamerError, TimeoutError) as error:
        finder.text(crash_report(error), f"the crash report of {type(error).__name__}")


@contextlib.contextmanager
def everything_logged(path: Path) -> Iterator[None]:
    """Every logger at DEBUG, and every warning, into a file."""
    root = logging.getLogger()
    handler, level = logging.FileHandler(path), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.captureWarnings(capture=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            yield
    finally:
        logging.captureWarnings(capture=False)
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def main() -> int:
    """Run all of it; the exit code."""
    finder = Finder(keys=(KEY,))
    with tempfile.TemporaryDirectory(prefix="streamer-canary-") as name:
        folder = Path(name)
        with everything_logged(folder / "library.log"):
            asyncio.run(library(folder, finder), debug=True)
        commands(folder, finder)
        codes = [path.read_text() for path in folder.glob("*/exit_code")]
        log = (folder / "library.log").stat().st_size
        finder.folder(folder)
    said = f"{len(codes)} commands with exit codes {sorted(set(codes))}, {log:,} bytes of log; {finder}"
    found = [f"{n:,} x {where}" for where, n in Counter(finder.hits).items()]
    sys.stdout.write("\n".join([said, *found, ""]))
    return bool(finder.hits)


if __name__ == "__main__":
    sys.exit(main())
