"""The emulator in a process of its own: the command, the context manager, the fixture, and what it costs."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from streamer.emulator.running import RunningEmulator, running

COMMAND = [sys.executable, "-m", "streamer", "serve"]
HEADERS = {"x-api-key": "test-key", "anthropic-version": "2026-10-21"}
BATCHES = "/v1/messages/batches"


def start(*words: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline()


@contextmanager
def asking(emulator: RunningEmulator, path: str, method: str = "GET", body: Any = None) -> Iterator[Any]:
    connection = http.client.HTTPConnection(urlsplit(emulator.base_url).netloc, timeout=60)
    with closing(connection):
        connection.request(method, path, body, HEADERS, encode_chunked=body is not None)
        yield connection.getresponse()


def ask(emulator: RunningEmulator, path: str, method: str = "GET", body: Any = None) -> bytes:
    with asking(emulator, path, method, body) as answer:
        read: bytes = answer.read()
    return read


def batches(emulator: RunningEmulator, query: str = "") -> Any:
    return json.loads(ask(emulator, BATCHES + query))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_listens_and_ends_cleanly(number: signal.Signals) -> None:
    process, line = start()
    assert line.startswith("streamer emulator listening on http://127.0.0.1:")
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_command_can_say_it_in_json() -> None:
    process, line = start("--json", "--key", "secret-one")
    ready = json.loads(line)
    assert ready["pid"] == process.pid
    assert ready["base_url"].startswith("http://127.0.0.1:")
    process.terminate()
    assert "secret-one" not in line + "".join(process.communicate(timeout=20))
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "--allow-remote"),
        (["--key", "sk-ant-" + "api03-secret"], "looks like a real one"),
        (["--mix", "nonsense"], "name=share"),
        (["--until-stdin-closes"], "needs a pipe"),
        (["--host", "203.0.113.9", "--allow-remote"], "cannot listen on 203.0.113.9"),
    ],
)
def test_the_command_refuses_what_cannot_be_in_one_line(words: list[str], said: str) -> None:
    done = subprocess.run(
        [*COMMAND, *words], check=False, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_running_gives_a_server_that_is_gone_afterwards() -> None:
    with running(speed=1000, fill=3) as emulator:
        assert len(batches(emulator)["data"]) == 3
        emulator.advance(3600)
        assert all(batch["processing_status"] == "ended" for batch in batches(emulator)["data"])
        assert emulator.stats()["requests"]["list"] == 2
    with pytest.raises(ConnectionRefusedError):
        ask(emulator, BATCHES)
    emulator.close()


def test_running_offers_the_first_key_that_is_listed() -> None:
    with running(key=("one", "two")) as emulator:
        assert emulator.api_key == "one"


def test_running_says_why_it_did_not_start() -> None:
    with pytest.raises(ValueError, match="above 0"), running(speed=0):
        pass
    with pytest.raises(TypeError, match="sped"), running(sped=1):
        pass
    with running() as emulator:
        port = urlsplit(emulator.base_url).port
        with pytest.raises(RuntimeError, match="cannot listen"), running(port=port):
            pass


def test_running_says_so_when_the_emulator_failed_meanwhile() -> None:
    with pytest.raises(RuntimeError, match="exit code -9"), running() as emulator:
        os.kill(emulator.pid, signal.SIGKILL)


def test_an_emulator_does_not_outlive_a_process_that_was_killed() -> None:
    code = (
        "from streamer.emulator.running import running\nwith running() as it: print(it.base_url, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        port = urlsplit(parent.stdout.readline().strip()).port
        parent.kill()
    with pytest.raises(ConnectionRefusedError):
        while True:  # until its end; the test's time-out bounds it
            socket.create_connection(("127.0.0.1", port)).close()


def test_what_the_block_raises_matters_more() -> None:
    with pytest.raises(KeyError), running() as emulator:
        os.kill(emulator.pid, signal.SIGKILL)
        raise KeyError


def test_the_fixture_is_there_for_whoever_has_us_installed(streamer_emulator: RunningEmulator) -> None:
    assert batches(streamer_emulator)["data"] == []


@pytest.mark.streamer_emulator(fill_ended=2, key=("mine",))
def test_the_fixture_takes_settings_from_a_marker(streamer_emulator: RunningEmulator) -> None:
    assert streamer_emulator.api_key == "mine"
    assert batches(streamer_emulator)["error"]["type"] == "authentication_error"


def test_the_plugin_costs_a_project_nothing_until_it_is_used() -> None:
    code = "import sys, streamer.emulator.fixture; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.split(".")[0] == "streamer"}
    assert ours == {"streamer", "streamer.emulator", "streamer.emulator.fixture"}
    assert not {"aiohttp", "ijson", "msgspec"} & set(loaded)


def peak_mb(emulator: RunningEmulator) -> float:
    """The most memory it has had; Linux counts this."""
    [line] = [line for line in Path(f"/proc/{emulator.pid}/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1]) / 1000


def test_results_of_any_size_need_no_memory() -> None:
    with running(fill_ended=1, records=20_000, record_bytes=20_000, huge_bytes=100_000_000) as emulator:
        path = f"{BATCHES}/{batches(emulator)['data'][0]['id']}/results"
        received = newlines = longest = held = 0
        with asking(emulator, path) as answer:
            while piece := answer.read1(1 << 20):
                received += len(piece)
                newlines += piece.count(b"\n")
                held = len(piece) if b"\n" in piece else held + len(piece)
                longest = max(longest, held)
        assert newlines == 19_999
        assert longest > 99_000_000
        assert received > 450_000_000
        assert peak_mb(emulator) < 80


def test_a_large_create_needs_no_memory() -> None:
    content = "x" * 5000

    def body() -> Iterator[bytes]:
        yield b'{"requests":['
        for number in range(10_000):
            params = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
            one = json.dumps({"custom_id": f"r{number}", "params": params}).encode()
            yield (b"," if number else b"") + one
        yield b"]}"

    with running() as emulator:
        created = json.loads(ask(emulator, BATCHES, "POST", body()))
        assert created["request_counts"]["processing"] == 10_000
        assert peak_mb(emulator) < 80
        emulator.advance(200)
        results = ask(emulator, f"{BATCHES}/{created['id']}/results")
        assert results.count(b"\n") == 9_999
        assert json.loads(results[results.rindex(b"\n") :])["custom_id"] == "r9999"


def test_a_workspace_of_many_batches_is_there_at_once_and_pages_are_whole() -> None:
    with running(fill_ended=100_000, fill=2000) as emulator:
        page = batches(emulator, "?limit=1000")
        assert len(page["data"]) == 1000
        assert page["has_more"]
        older = batches(emulator, f"?limit=1000&after_id={page['last_id']}")
        assert {batch["processing_status"] for batch in page["data"] + older["data"]} == {"in_progress"}
