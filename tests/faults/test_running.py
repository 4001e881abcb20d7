"""The proxy in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.emulator.running import RunningEmulator
from streamer.faults.running import running
from tests.faults.raw import BATCHES, KEY, Truth, ask_now


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "streamer.faults", *args]


def test_it_damages_what_passes_and_counts(truth: Truth) -> None:
    with running(truth.upstream, "fin@50%,n=1", "poll:status=529", seed=3) as proxy:
        cut, whole = (ask_now(proxy.base_url, truth.path) for _ in range(2))
        assert ask_now(proxy.base_url, truth.poll).status == 529
        assert proxy.stats()["faults"] == {"fin@50%,n=1": 1, "poll:status=529": 1}
        assert proxy.stats()["with_key"] == {"results": 2, "poll": 1}
        arguments = Path(f"/proc/{proxy.pid}/cmdline").read_text()
    assert (cut.content, whole.content) == (truth.results[: len(truth.results) // 2], truth.results)
    assert KEY not in arguments
    assert not Path(f"/proc/{proxy.pid}").exists()


def test_a_redirect_to_another_proxy_shows_whether_the_key_came_along(emulator: RunningEmulator) -> None:
    with running(emulator.base_url) as other, running(emulator.base_url, f"list:redirect={other.base_url}") as proxy:
        location = ask_now(proxy.base_url, BATCHES).headers["location"]
        assert other.stats()["requests"] == {}
        ask_now(other.base_url, location.removeprefix(other.base_url))
        assert other.stats()["with_key"] == {"list": 1}


def test_it_refuses_a_fault_that_it_does_not_know_before_it_starts(emulator: RunningEmulator) -> None:
    with pytest.raises(ValueError, match="no fault is called 'finn'; known faults: big_header"):
        with running(emulator.base_url, "finn@5"):
            pytest.fail("it started")
    with pytest.raises(ValueError, match="not of the form http://HOST:PORT"):
        with running("127.0.0.1:80"):
            pytest.fail("it started")


def test_on_the_command_line_mistakes_are_one_sentence_and_exit_code_2(truth: Truth) -> None:
    port = truth.upstream.rpartition(":")[2]
    for args, says in (
        (["--fault=finn@5", truth.upstream], "fault 'finn@5': no fault is called 'finn'"),
        (["ftp://host"], "the upstream 'ftp://host' is not of the form"),
        ([f"--port={port}", truth.upstream], f"cannot listen on port {port}: "),
    ):
        done = subprocess.run(command(*args), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"python -m streamer.faults: {says}")
        assert done.stderr.count("\n") == 1


def test_help_tells_of_every_fault() -> None:
    done = subprocess.run(command("--help"), capture_output=True, text=True, check=True)
    assert "no_final_chunk" in done.stdout
    assert "p=0.2 chance" in done.stdout


def test_a_proxy_that_was_killed_is_reported(emulator: RunningEmulator) -> None:
    with pytest.raises(RuntimeError, match="the fault proxy ended with exit code -9: it said nothing"):
        with running(emulator.base_url) as proxy:
            os.kill(proxy.pid, signal.SIGKILL)


def test_it_does_not_outlive_a_process_that_was_killed(emulator: RunningEmulator) -> None:
    code = (
        "import sys\nfrom streamer.faults.running import running\n"
        f"with running({emulator.base_url!r}) as it: print(it.base_url, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        parent.kill()
    with pytest.raises(OSError, match=r"refused|reset"):
        while True:  # until its end; the test's time-out bounds it
            ask_now(url, BATCHES)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_listens_and_ends_cleanly(truth: Truth, number: signal.Signals) -> None:
    process = subprocess.Popen(command(truth.upstream), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(f"faults before {truth.upstream} listening on http://127.0.0.1:")
    assert ask_now(line.split()[-1], truth.path).content == truth.results
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
