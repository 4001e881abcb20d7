"""One message at once: what is sent, and what is not sent twice."""

from __future__ import annotations

import json

import pytest

from streamer.api.client import Client
from streamer.errors import ApiError, ConfigurationError, TransportError
from tests.api.servers import KEY, Server, refusal, reply
from tests.clock import FakeClock

PARAMS = {"model": "claude-haiku-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}
ANSWER = {"id": "msg_1", "type": "message", "model": "claude-haiku-5-5", "content": [{"type": "text", "text": "Hello"}]}


def client_of(server: Server) -> Client:
    return Client(api_key=KEY, base_url=server.url, clock=FakeClock())


@pytest.mark.parametrize("params", [PARAMS, json.dumps(PARAMS).encode()])
async def test_a_message_is_asked_for_with_the_params_as_they_are(params: dict[str, object] | bytes) -> None:
    async with Server([reply(200, ANSWER)]) as server, client_of(server) as client:
        assert (await client.message(params)).text == "Hello"
    [seen] = server.seen
    assert (seen.method, seen.target) == ("POST", "/v1/messages")
    assert json.loads(seen.body) == PARAMS
    assert seen.headers["x-api-key"] == KEY


async def test_params_that_are_not_valid_are_refused_with_the_reason() -> None:
    no = refusal(400, kind="invalid_request_error")
    async with Server([no]) as server, client_of(server) as client:
        with pytest.raises(ApiError) as caught:
            await client.message(PARAMS)
    assert (caught.value.status, caught.value.detail) == (400, "it broke")
    assert len(server.seen) == 1


async def test_a_message_that_may_have_been_written_is_not_asked_for_again() -> None:
    async with Server([None]) as server, client_of(server) as client:
        with pytest.raises(TransportError):
            await client.message(PARAMS)
    assert len(server.seen) == 1


async def test_an_overload_is_waited_out() -> None:
    async with Server([refusal(529), reply(200, ANSWER)]) as server, client_of(server) as client:
        assert (await client.message(PARAMS)).id == "msg_1"


async def test_params_that_are_no_json_are_not_sent() -> None:
    async with Server([None]) as server, client_of(server) as client:
        with pytest.raises(ConfigurationError, match="cannot be written as JSON"):
            await client.message({"model": object()})
    assert server.seen == []
