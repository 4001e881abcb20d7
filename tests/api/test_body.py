"""A create's body."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import anthropic
import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from streamer.api.body import MemoryBody, RequestBody, encode_params, encode_requests
from streamer.errors import ConfigurationError
from tests.api.servers import Server, refusal

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


async def joined(body: RequestBody) -> bytes:
    return b"".join([part async for part in body.parts()])


@given(st.lists(st.dictionaries(st.text(), values, max_size=3), min_size=1, max_size=5))
async def test_mappings_and_bytes_are_sent_as_they_are(requests: list[dict[str, Any]]) -> None:
    mixed = [json.dumps(request).encode() if n % 2 else request for n, request in enumerate(requests)]
    body = await encode_requests(mixed)
    for _ in range(2):
        sent = await joined(body)
        assert json.loads(sent) == {"requests": requests}
        assert len(sent) == body.size


async def test_a_large_body_has_parts_of_about_a_mebibyte() -> None:
    body = await encode_requests({"custom_id": str(n), "text": "x" * 1000} for n in range(5000))
    sizes = [len(part) async for part in body.parts()]
    assert sum(sizes) == body.size
    assert max(sizes) < 1.1 * 2**20
    assert len(sizes) == 5


async def test_any_mapping_will_do() -> None:
    assert await joined(await encode_requests([MappingProxyType({"a": 1})])) == b'{"requests":[{"a":1}]}'


def answer() -> Message:
    """A message as the official client gives it, with what it did not get left unset."""
    return Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-haiku-5-5",
            "content": [
                {"type": "thinking", "thinking": "so", "signature": "s"},
                {"type": "text", "text": "Straße"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}},
            ],
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 1, "output_tokens": 2},
        }
    )


async def test_content_of_an_earlier_answer_is_sent_as_the_official_client_sends_it() -> None:
    earlier = answer()
    params = {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": earlier.content}]}
    async with (
        Server([refusal(400)]) as server,
        anthropic.AsyncAnthropic(api_key="k", max_retries=0, base_url=server.url) as client,
    ):
        with pytest.raises(anthropic.APIStatusError):
            await client.messages.batches.create(requests=[{"custom_id": "a", "params": params}])  # type: ignore[typeddict-item]
    ours = await joined(await encode_requests([{"custom_id": "a", "params": params}]))
    assert json.loads(ours) == json.loads(server.seen[0].body)
    assert await joined(encode_params(params)) in ours


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([], "at least one"),
        ([{"a": 1}, {"b": object()}], "requests.1 cannot be written as JSON"),
        (["text"], "requests.0 is a str"),
        ([{"a": 1}, None], "requests.1 is a NoneType"),
    ],
)
async def test_what_cannot_be_sent_is_named(requests: list[Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await encode_requests(requests)


def test_a_prepared_body_is_known_as_one() -> None:
    assert isinstance(MemoryBody([b"x"]), RequestBody)
    assert not isinstance([{}], RequestBody)
