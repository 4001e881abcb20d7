"""A key that was typed where none belongs: told from everything else, refused in a sentence, sent and shown nowhere."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.cli import main
from streamer.emulator.running import running as emulator_running
from streamer.errors import ConfigurationError
from streamer.faults.running import running as faults_running
from streamer.runs.run import run
from streamer.sinks.file import FileSink
from tests.api.servers import KEY, LONG_KEY, Server, batch, reply
from tests.api.test_client import client_of
from tests.api.test_masking import pieces_in
from tests.cli.command import streamer

OTHER_KEY = LONG_KEY[:13] + LONG_KEY[:12:-1]  # a key, but not the client's


@pytest.mark.parametrize(
    "words",
    [
        ("--api-key", LONG_KEY),
        (f"--api-key={LONG_KEY}", "list"),
        ("list", "--api-key", LONG_KEY),
        ("run", LONG_KEY),
        ("run", LONG_KEY[:60]),
        ("run", "msgbatch_1", f"--to=out/{LONG_KEY}/{{batch_id}}"),
        ("run", "msgbatch_1", "--only", LONG_KEY),
        ("show", LONG_KEY),
        ("cancel", LONG_KEY, "--yes"),
        ("list", "--base-url", f"https://{LONG_KEY}@api.anthropic.com"),
        ("list", "--base-url", f"https://api.anthropic.com/?key={LONG_KEY}"),
        ("list", "--trust-host", LONG_KEY),
        ("submit", LONG_KEY),
        ("process", "requests.jsonl", "--to", LONG_KEY),
        ("cost", LONG_KEY),
        ("serve", "--key", LONG_KEY),
        (LONG_KEY,),
    ],
)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "the key is taken from ANTHROPIC_API_KEY in the environment" in said.err
    assert pieces_in(said.err, length=8) == []
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_the_environment_is_known_whatever_it_looks_like(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", KEY)
    assert main(["run", KEY]) == 2
    assert "there is a key among the words" in capsys.readouterr().err


def test_a_key_in_a_file_of_ids_is_refused_with_its_line(tmp_path: Path) -> None:
    for text in (f"msgbatch_1\n{LONG_KEY}\n", "msgbatch_1\n" + json.dumps({"id": LONG_KEY})):
        done = streamer("run", "--ids-from", "-", "--json", cwd=tmp_path, base_url="http://127.0.0.1:9", stdin=text)
        assert (done.returncode, done.stdout) == (2, "")
        assert "stdin, line 2, looks like an API key" in done.stderr
        assert pieces_in(done.stderr, length=8) == []


@pytest.mark.parametrize("key", [KEY, OTHER_KEY, OTHER_KEY[:40]])
async def test_a_key_as_the_id_of_a_batch_is_sent_nowhere(key: str, tmp_path: Path) -> None:
    uses: list[Callable[[Client], Awaitable[object]]] = [
        lambda client: client.retrieve(key),
        lambda client: client.poll_batch(key),
        lambda client: client.cancel(key),
        lambda client: client.delete(key),
        lambda client: client.list_page(after_id=key),
        lambda client: client.list_page(before_id=key),
    ]
    if key != KEY:
        uses.append(lambda client: run(client, [key], FileSink(str(tmp_path / "{batch_id}.jsonl"))))
    async with Server([reply(200, batch())]) as server, client_of(server) as client:
        for use in uses:
            with pytest.raises(ConfigurationError, match="nothing was sent") as caught:
                await use(client)
            assert pieces_in(str(caught.value), key, length=8) == []
    assert server.seen == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"base_url": f"https://{LONG_KEY}"},
        {"base_url": f"https://user:{LONG_KEY}@gateway.example"},
        {"base_url": LONG_KEY},
        {"options": ClientOptions(trusted_hosts=[LONG_KEY])},
    ],
)
def test_a_key_in_another_argument_of_a_client_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="the key belongs into ANTHROPIC_API_KEY") as caught:
        Client(api_key=KEY, **arguments)  # type: ignore[arg-type]  # of every kind
    assert pieces_in(str(caught.value), length=8) == []


def test_children_get_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS", "GATEWAY_API_KEY", "HTTPS_PROXY"]
    for name in [*secret, "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "DB_PASSWORD"]:
        monkeypatch.setenv(name, LONG_KEY)
    monkeypatch.setenv("HARMLESS", "kept")
    with emulator_running() as emulator, faults_running(emulator.base_url) as faults:
        for child in (emulator, faults):
            environ = Path(f"/proc/{child.pid}/environ").read_text()
            assert LONG_KEY not in environ
            assert "HARMLESS=kept" in environ
            assert f"PATH={os.environ['PATH']}" in environ
