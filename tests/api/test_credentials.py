"""Which key is used, and which cannot be one."""

from __future__ import annotations

import copy
import pickle

import pytest

from streamer.api.client import Client
from streamer.api.credentials import Credentials
from streamer.api.secret import Secret
from streamer.errors import ConfigurationError
from tests.api.servers import KEY


@pytest.mark.parametrize(
    ("api_key", "auth_token", "environ", "headers"),
    [
        ("k", None, {}, {"x-api-key": "k"}),
        (" k\n", None, {}, {"x-api-key": "k"}),
        (None, "t", {}, {"authorization": "Bearer t"}),
        ("k", None, {"ANTHROPIC_AUTH_TOKEN": "e"}, {"x-api-key": "k"}),
        (None, "t", {"ANTHROPIC_API_KEY": "e"}, {"authorization": "Bearer t"}),
        (None, None, {"ANTHROPIC_API_KEY": "e"}, {"x-api-key": "e"}),
        (None, None, {"ANTHROPIC_AUTH_TOKEN": "e\n"}, {"authorization": "Bearer e"}),
        (None, None, {"ANTHROPIC_API_KEY": "e", "ANTHROPIC_AUTH_TOKEN": "f"}, {"x-api-key": "e"}),
        (None, None, {"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": "f"}, {"authorization": "Bearer f"}),
    ],
)
async def test_the_key_is_chosen_as_the_official_client_does(
    api_key: str | None, auth_token: str | None, environ: dict[str, str], headers: dict[str, str]
) -> None:
    credentials = Credentials.find(api_key, auth_token, environ)
    credentials.check()
    assert await credentials.headers(within=1.0) == headers


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        (f"{KEY}\nsecond", "white space"),
        (f"{KEY}\r\nx-evil: 1", "white space"),
        (f"{KEY}\x00", "control characters"),
        (f'"{KEY}"', "quotes"),
        (f"'{KEY}'", "quotes"),
        (f"{KEY}é", "not ASCII"),
    ],
)
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(key: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        Client(api_key=key)
    assert KEY not in str(caught.value)
    assert "api_key" in str(caught.value)


def test_no_key_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="set ANTHROPIC_API_KEY"):
        Client()


def test_two_keys_are_one_too_many() -> None:
    with pytest.raises(ConfigurationError, match="only one of api_key and auth_token"):
        Client(api_key=KEY, auth_token=KEY)


def test_the_environment_names_key_and_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://gateway.example/anthropic/")
    assert repr(Client()) == "<Client of https://gateway.example/anthropic, 0 retries>"
    assert repr(Client(base_url="https://other.example")) == "<Client of https://other.example, 0 retries>"


def test_a_secret_shows_nothing_and_stays_where_it_is() -> None:
    secret = Secret(KEY)
    for shown in (repr(secret), str(secret), f"{secret}", repr(secret.header()), repr({"x": secret.header()})):
        assert shown.count("****") == 1
        assert KEY not in shown
    for held in (secret, secret.header()):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(held)
        with pytest.raises(TypeError, match="not pickled or copied"):
            copy.deepcopy(held)


def test_what_a_server_echoes_is_scrubbed() -> None:
    assert Secret(KEY).scrub(f"bad key {KEY}!") == "bad key ****!"
    assert Secret("").scrub("as it was") == "as it was"
