"""Company authorities: used by the usual variables, told, and named when a certificate is not believed."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import pytest
import trustme

from streamer.api.certificates import Authorities
from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import RetryPolicy
from streamer.errors import ConfigurationError, TransportError
from tests.api.servers import KEY, Server, batch, reply
from tests.api.test_client import client_of


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    (tmp_path / "authorities").mkdir()
    return made


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
async def test_an_authority_that_the_environment_names_is_believed_and_told(
    variable: str,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "streamer")
    monkeypatch.setenv(variable, str(tmp_path / "authority.pem"))
    async with Server([reply(200, batch())], tls=server_tls(authority, "127.0.0.1")) as server:
        async with client_of(server) as client:
            assert (await client.retrieve("msgbatch_1")).id == "msgbatch_1"
    assert f"certificates are checked by {variable} ({tmp_path / 'authority.pem'})" in caplog.text


async def test_one_that_nobody_names_is_not_believed_and_the_error_says_what_would_help(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "streamer")
    other = trustme.CA()
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    async with Server([reply(200, batch())], tls=server_tls(authority, "127.0.0.1")) as server:
        async with client_of(server) as client:
            with pytest.raises(TransportError, match="name that one's PEM file in SSL_CERT_FILE"):
                await client.retrieve("msgbatch_1")
            assert client.requests == 1
        assert "certificates" not in caplog.text
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
        async with client_of(server) as client:
            with pytest.raises(TransportError, match=r"whoever signed it is not in SSL_CERT_FILE \(.*other\.pem\)"):
                await client.retrieve("msgbatch_1")
    assert server.seen == []


async def test_no_variable_is_named_where_none_would_help(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    async with Server([reply(200, batch())], tls=server_tls(authority, "other.example")) as server:
        async with client_of(server, retry=RetryPolicy(attempts=1)) as client:
            with pytest.raises(TransportError, match="certificate is not valid") as caught:
                await client.retrieve("msgbatch_1")
    assert "SSL_CERT_FILE" not in str(caught.value)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_a_path_that_is_not_there_is_told_at_once(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "/no/such/authorities")
    with pytest.raises(ConfigurationError, match=f"{variable} names /no/such/authorities, which is not there"):
        Client(api_key=KEY)
    Client(api_key=KEY, base_url="http://127.0.0.1:9")  # no certificates there


async def test_a_file_without_certificates_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.pem").write_text("no certificate\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    async with Client(api_key=KEY, base_url="https://127.0.0.1:9", options=ClientOptions()) as client:
        with pytest.raises(ConfigurationError, match=r"empty\.pem, which cannot be used: no certificate is in it"):
            await client.retrieve("msgbatch_1")


def test_openssls_own_variables_win_and_a_bundle_is_added_to_the_systems(tmp_path: Path, authority: trustme.CA) -> None:
    pem, folder = str(tmp_path / "authority.pem"), str(tmp_path / "authorities")
    assert Authorities.of({}).context() is None
    assert Authorities.of({"SSL_CERT_FILE": pem, "REQUESTS_CA_BUNDLE": "/no/such"}).paths == {"SSL_CERT_FILE": pem}
    assert list(Authorities.of({"SSL_CERT_FILE": pem, "SSL_CERT_DIR": f"/no/such:{folder}"}).paths) == [
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ]
    alone = len(ssl.create_default_context().get_ca_certs())
    context = Authorities.of({"REQUESTS_CA_BUNDLE": pem}).context()
    assert context is not None
    assert len(context.get_ca_certs()) == alone + 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
