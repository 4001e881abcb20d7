"""Arguments of the wrong kind: each a sentence that names it, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.errors import ConfigurationError
from tests.api.servers import KEY
from tests.api.test_client import REQUEST


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"api_key": 5}, "api_key is a int, not text or a callable"),
        ({"auth_token": b"x"}, "auth_token is a bytes"),
        ({"base_url": 5}, "base_url is a int"),
        ({"session": object()}, "session is a object; it must be an aiohttp.ClientSession"),
        ({"options": {"betas": []}}, "options is a dict; it must be ClientOptions"),
        ({"options": ClientOptions(timeouts=5)}, "timeouts is a int"),  # type: ignore[arg-type]
        ({"options": ClientOptions(retry=None)}, "retry is a NoneType"),  # type: ignore[arg-type]
        ({"options": ClientOptions(trusted_hosts=5)}, "trusted_hosts is a int"),  # type: ignore[arg-type]
        ({"options": ClientOptions(requests_per_minute="9")}, "requests_per_minute is a str"),  # type: ignore[arg-type]
        ({"options": ClientOptions(proxy=5)}, "proxy is a int"),  # type: ignore[arg-type]
        ({"options": ClientOptions(anthropic_version=2)}, "anthropic_version is a int"),  # type: ignore[arg-type]
    ],
)
def test_arguments_of_the_wrong_kind_are_named(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Client(**{"api_key": KEY, **arguments} if "auth_token" not in arguments else arguments)


async def test_questions_of_the_wrong_kind_are_named() -> None:
    async with Client(api_key=KEY, base_url="http://127.0.0.1:9") as client:
        wrong: list[tuple[Any, str]] = [
            (client.retrieve(None), "None is not a batch id"),  # type: ignore[arg-type]
            (client.create(REQUEST), "requests is an iterable of requests, not a dict; of one write"),  # type: ignore[arg-type]
            (client.create("x.jsonl"), "not a str"),  # type: ignore[arg-type]
            (client.create(5), "not a int"),  # type: ignore[arg-type]
            (client.create([5]), r"requests\.0 is a int"),  # type: ignore[list-item]
            (client.list_page(limit="x"), "1 to 1000 batches, not x"),  # type: ignore[arg-type]
            (client.message(5), "params is a int"),  # type: ignore[arg-type]
        ]
        for use, says in wrong:
            with pytest.raises(ConfigurationError, match=says):
                await use
        with pytest.raises(ConfigurationError, match="results are those of a Batch"):
            async with client.results("msgbatch_1"):  # type: ignore[arg-type]
                pass
