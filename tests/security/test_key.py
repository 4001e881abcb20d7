"""Where the key does not go: command lines, proxies and hosts that the environment names, old TLS, cookies."""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from streamer.cli.parser import make_parser
from streamer.errors import TransportError, UntrustedHostError
from tests.api.servers import KEY, Server, batch, reply
from tests.api.test_client import client_of
from tests.api.test_secrecy import read_results

ROOT = Path(__file__).parents[2]
PEM = ROOT / "tests" / "api" / "other_host.pem"


def options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Every option of every command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from ((f"{name} {command_name}".strip(), option) for command_name, option in options(command))
        yield from (("", option) for option in action.option_strings)


def test_no_option_takes_the_key_for_everybody_can_read_command_lines() -> None:
    found = list(options(make_parser()))
    assert ("run", "--base-url") in found
    suspicious = [pair for pair in found if any(word in pair[1] for word in ("key", "token", "secret", "auth"))]
    # `serve` is the emulator: its keys open nothing, and what looks like a real one is refused.
    assert [pair for pair in suspicious if pair[0] != "serve"] == []


async def test_neither_proxies_nor_netrc_of_the_environment_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with Server([reply(200, batch())]) as proxy, Server([reply(200, batch())]) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        async with client_of(server) as client:
            await client.retrieve("msgbatch_1")
            await read_results(client)
        assert proxy.seen == []
    assert len(server.seen) == 2
    assert all("authorization" not in seen.headers for seen in server.seen)


async def test_a_cookie_is_not_kept() -> None:
    baked = reply(200, batch(), {"set-cookie": "session=1; path=/"})
    async with Server([baked]) as server, client_of(server) as client:
        await client.retrieve("msgbatch_1")
        await client.retrieve("msgbatch_1")
    assert all("cookie" not in seen.headers for seen in server.seen)


@pytest.mark.parametrize("name", ["X-API-Key", "Authorization", "Cookie", "Proxy-Authorization"])
async def test_a_session_that_authenticates_itself_is_not_used_for_another_host(name: str) -> None:
    async with (
        Server([reply(200)]) as other,
        Server([reply(200)]) as server,
        aiohttp.ClientSession(headers={name: KEY}) as session,
        client_of(server, session=session, trusted_hosts=[f"127.0.0.1:{other.port}"]) as client,
    ):
        with pytest.raises(UntrustedHostError, match="give the key to the client"):
            await read_results(client, other.url)
        assert other.seen == []


def old_tls(side: int) -> ssl.SSLContext:
    """A context that speaks TLS 1.0 and 1.1 only."""
    context = ssl.SSLContext(side)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


async def test_a_server_that_speaks_only_old_tls_is_not_spoken_to() -> None:
    context = old_tls(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    async with Server([reply(200, batch())], tls=context) as server, client_of(server) as client:
        # It is the age of the protocol that is refused: who is content with it gets through.
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=old_tls(ssl.PROTOCOL_TLS_CLIENT))
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.1"
        writer.transport.abort()
        with pytest.raises(TransportError, match="no connection: it was closed at once"):
            await client.retrieve("msgbatch_1")
    assert server.seen == []


def test_the_environment_of_a_test_names_no_key() -> None:
    assert [name for name in os.environ if name.startswith("ANTHROPIC_")] == []


def test_no_test_sees_a_key_of_the_environment() -> None:
    env = os.environ | {
        "ANTHROPIC_API_KEY": "a-person's",
        "ANTHROPIC_AUTH_TOKEN": "x",
        "ANTHROPIC_BASE_URL": "https://x",
    }
    test = f"{Path(__file__).relative_to(ROOT)}::{test_the_environment_of_a_test_names_no_key.__name__}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout
