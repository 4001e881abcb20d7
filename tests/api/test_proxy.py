"""Proxies: used only when asked for, told, and shown nothing of what passes through them."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import trustme

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import RetryPolicy
from streamer.errors import ConfigurationError, TransportError
from tests.api.proxies import forward_proxy, watched
from tests.api.servers import KEY, LONG_KEY, Server, batch, reply
from tests.api.test_headers import BETAS, SECRET, ask_everything
from tests.api.test_masking import pieces_in
from tests.api.test_secrecy import crash_report, everything_in
from tests.cli.command import streamer

PASSWORD = "pr0xy-Pa55word%2F"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with forward_proxy(tmp_path_factory.mktemp("proxy")) as port:
        yield port


@pytest.fixture(scope="module")
def guarded_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with forward_proxy(tmp_path_factory.mktemp("guarded"), login=f"somebody:{PASSWORD[:-3]}/") as port:
        yield port


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Of a server whose authority the environment names."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def client_by(server: Server, proxy: str | None, key: str = KEY) -> Client:
    options = ClientOptions(proxy=proxy, retry=ONCE, betas=BETAS, headers={"X-Gateway": SECRET})
    return Client(api_key=key, base_url=server.url, options=options)


ANSWER = reply(200, batch(results_url="/results", processing_status="ended", has_more=False, data=[]))


async def test_everything_goes_through_a_tunnel_in_which_nothing_is_seen(
    proxy: int, tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "streamer")
    async with Server([ANSWER], tls=tls) as server, watched(proxy) as wire, client_by(server, wire.url) as client:
        await ask_everything(client)
        sent = bytes(wire.sent)
        assert sent.count(b"CONNECT ") == sent.count(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1".encode()) > 0
        for secret in (KEY, SECRET, BETAS[0], "msgbatch_1", "x-api-key"):
            assert secret.encode() not in sent
        ports = {seen.port for seen in server.seen}
        assert len(server.seen) == 6
        assert {seen.headers["x-api-key"] for seen in server.seen} == {KEY}
        assert all("proxy" not in name for seen in server.seen for name in seen.headers)
        assert wire.connections == len(ports)
    assert f"requests go through the proxy {wire.url}" in caplog.text


async def test_the_environments_proxy_is_used_when_asked_for_but_for_the_hosts_it_excepts(
    proxy: int, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "streamer")
    async with Server([ANSWER], tls=tls) as server, watched(proxy) as wire:
        for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            with monkeypatch.context() as patch:
                patch.setenv(variable, wire.url.removeprefix("http://"))
                for asked, excepted, through in (
                    ("environment", "other.example", True),
                    ("environment", "127.0.0.1", False),
                    ("environment", "*", False),
                    (None, "", False),
                ):
                    patch.setenv("NO_PROXY", excepted)
                    before = wire.connections
                    async with client_by(server, asked) as client:
                        await client.retrieve("msgbatch_1")
                    assert (wire.connections > before) is through
    assert "in NO_PROXY" in caplog.text


async def test_a_login_for_the_proxy_is_sent_to_it_alone_and_shown_nowhere(
    guarded_proxy: int, tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "streamer")
    login = base64.b64encode(f"somebody:{PASSWORD[:-3]}/".encode())
    async with Server([ANSWER], tls=tls) as server, watched(guarded_proxy) as wire:
        with_login = wire.url.replace("//", f"//somebody:{PASSWORD}@")
        async with client_by(server, with_login) as client:
            await ask_everything(client)
            assert wire.sent.lower().count(b"proxy-authorization: basic " + login.lower()) == wire.connections
            assert all("proxy-authorization" not in seen.headers for seen in server.seen)
            shown = "\n".join(everything_in(client, set()))
        wrong = with_login.replace("somebody", "nobody")
        reports = [shown, caplog.text, repr(ClientOptions(proxy=with_login))]
        for proxy in (wire.url, wrong):
            async with client_by(server, proxy) as client:
                with pytest.raises(TransportError, match=r"the proxy answered 407 .*; its user name and") as caught:
                    await client.retrieve("msgbatch_1")
                reports.append(crash_report(caught.value))
                assert wire.url.removeprefix("http://") in str(caught.value)
    for text in reports:
        assert pieces_in(text, PASSWORD, length=6) == []
        assert login.decode() not in text


async def test_the_way_to_the_proxy_may_be_tls_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue_cert("127.0.0.1")
    certificate.configure_cert(context)
    with forward_proxy(tmp_path / "proxy", login="somebody:password", certificate=certificate) as port:
        async with Server([ANSWER], tls=context) as server, watched(port) as wire:
            url = wire.url.replace("http://", "https://somebody:password@")
            async with client_by(server, url) as client:
                await client.retrieve("msgbatch_1")
            assert b"CONNECT" not in wire.sent
            assert b"authorization" not in wire.sent.lower()
        assert len(server.seen) == 1


async def test_plain_http_does_not_go_through_a_proxy(
    proxy: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "streamer")
    async with Server([ANSWER]) as server, watched(proxy) as wire:
        with pytest.raises(ConfigurationError, match=r"plain http .* could read the key: use https, or no proxy"):
            client_by(server, wire.url)
        with pytest.raises(ConfigurationError, match="plain http"):
            Client(
                api_key=KEY,
                base_url="http://gateway.example",
                options=ClientOptions(proxy=wire.url, allow_http=True),
            )
        monkeypatch.setenv("HTTPS_PROXY", wire.url)
        monkeypatch.setenv("HTTP_PROXY", wire.url)
        async with client_by(server, "environment") as client:
            await client.retrieve("msgbatch_1")
        assert wire.connections == 0
    assert "is plain http" in caplog.text


async def test_a_proxy_that_is_there_and_not_used_is_told_when_there_is_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Server([None]) as nobody:
        pass
    says = "HTTPS_PROXY is set and not used; --proxy environment uses it"
    monkeypatch.setenv("HTTPS_PROXY", f"http://somebody:{PASSWORD}@127.0.0.1:9")
    for base_url, excepted, told in (
        (f"https://127.0.0.1:{nobody.port}", "", True),
        ("https://no-such-host.invalid", "", True),
        (f"https://127.0.0.1:{nobody.port}", "127.0.0.1", False),
        (f"http://127.0.0.1:{nobody.port}", "", False),
    ):
        monkeypatch.setenv("NO_PROXY", excepted)
        async with Client(api_key=KEY, base_url=base_url, options=ClientOptions(retry=ONCE)) as client:
            with pytest.raises(TransportError) as caught:
                await client.create([{"custom_id": "a", "params": {}}])
        assert (says in str(caught.value)) is told
        assert type(caught.value) is TransportError  # nothing was sent, so nothing is unknown
        assert PASSWORD not in str(caught.value)


async def test_a_proxy_that_cannot_be_reached_is_named() -> None:
    async with Server([None]) as nobody:
        pass
    options = ClientOptions(proxy=f"http://127.0.0.1:{nobody.port}", retry=ONCE)
    async with Client(api_key=KEY, base_url="https://api.example", options=options) as client:
        with pytest.raises(TransportError, match=rf"through the proxy 127\.0\.0\.1:{nobody.port}") as caught:
            await client.create([{"custom_id": "a", "params": {}}])
    assert type(caught.value) is TransportError


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("socks5://127.0.0.1:1080", "'socks5', and only http and https"),
        (f"http://u:{PASSWORD}@h:port", "is not a URL"),
        (f"http://u:{PASSWORD}@h/path", "not an address alone"),
        (f"http://u:{PASSWORD}@", "not an address alone"),
        (f"http://u:{PASSWORD} x@h", "not an address alone"),
        ("", "not an address alone"),
        (f"http://{LONG_KEY}:80", "looks like an API key"),
    ],
)
def test_what_is_no_proxy_is_refused_without_showing_it(proxy: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        Client(api_key=KEY, options=ClientOptions(proxy=proxy))
    report = crash_report(caught.value)
    assert PASSWORD not in report
    assert pieces_in(str(caught.value), length=8) == []


async def test_a_session_that_is_given_brings_its_own_proxies() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError, match="a session that is given has its own proxies"):
            Client(api_key=KEY, session=session, options=ClientOptions(proxy="http://h:1"))


async def test_the_command_line_tells_of_all_that_goes_with_its_requests(
    proxy: int, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    headers = tmp_path / "headers"
    headers.write_text("# of the gateway\n\nX-Gateway: " + SECRET + "\nX-Team: blue\n")
    async with Server([ANSWER], tls=tls) as server, watched(proxy) as wire:
        words = ["show", "msgbatch_1", "-v", "--base-url", server.url, "--proxy", wire.url, "--beta", BETAS[0]]
        words += ["--beta", BETAS[1], "--header", f"@{headers}", "--header", "X-Other: yes"]
        done = await asyncio.to_thread(streamer, *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert wire.connections > 0
    seen = server.seen[0].headers
    assert (seen["anthropic-beta"], seen["x-gateway"], seen["x-other"]) == (",".join(BETAS), SECRET, "yes")
    for told in (
        f"betas asked for: {BETAS[0]}, {BETAS[1]}",
        "headers sent with each request: x-gateway, x-team, x-other",
        f"requests go through the proxy {wire.url}",
        f"certificates are checked by SSL_CERT_FILE ({tmp_path / 'authority.pem'})",
    ):
        assert f"streamer: {told}\n" in done.stderr
    assert SECRET not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (SECRET, "--header is no header; write NAME: VALUE"),
        ("@nowhere", "the headers cannot be read from nowhere: No such file or directory"),
        ("@bad", "bad, line 2, is no header"),
        ("@twice", "twice, line 2, gives the header x-a a second time"),
        (f"Host: {SECRET}", "the header host is set by the client"),
    ],
)
def test_a_header_that_is_none_is_one_sentence_without_its_value(header: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text(f"X-A: 1\n{SECRET}\n")
    (tmp_path / "twice").write_text(f"X-A: 1\nx-a: {SECRET}\n")
    done = streamer("list", "--header", header, cwd=tmp_path, base_url="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stderr
