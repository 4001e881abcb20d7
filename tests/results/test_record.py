"""A record: decoded on demand, tolerant of what the API may add, clear about what it cannot decode."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

import streamer
from streamer.errors import ConfigurationError, RecordError
from streamer.results.record import Record, lenient_loads


def record(result: Any, raw: bytes = b"") -> Record:
    raw = raw or json.dumps({"custom_id": "a", "result": result}).encode()
    return Record("msgbatch_1", "a", "x", raw)  # type: ignore[arg-type]  # a type of the future


def test_a_succeeded_result_typed() -> None:
    result = record(
        {
            "type": "succeeded",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-x",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "one "},
                    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"n": 1}},
                    {"type": "text", "text": "two", "citations": None},
                ],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": 1, "output_tokens": 2, "cache_creation": {"ephemeral_5m_input_tokens": 3}},
            },
        }
    ).result
    assert result.message is not None
    assert result.message.text == "one two"
    assert result.message.content[2].input == {"n": 1}
    assert result.message.usage.output_tokens == 2
    assert result.message.usage.cache_creation is not None
    assert result.message.usage.cache_creation.ephemeral_5m_input_tokens == 3


def test_an_errored_result_typed() -> None:
    inner = {"type": "invalid_request_error", "message": "too low", "details": None}
    result = record({"type": "errored", "error": {"type": "error", "error": inner}}).result
    assert result.error is not None
    assert (result.error.error.type, result.error.error.message) == ("invalid_request_error", "too low")


def test_what_the_api_may_add_is_tolerated() -> None:
    paused = record({"type": "paused", "until": 1})
    assert paused.result.type == "paused"  # type: ignore[comparison-overlap]  # not known to the type checker
    block = {"type": "hologram", "shape": {}, "text": "t"}
    message = record({"type": "succeeded", "message": {"content": [block], "mood": 1}}).result.message
    assert message is not None
    assert (message.content[0].type, message.content[0].text) == ("hologram", "t")


def test_json_that_msgspec_refuses_is_still_decoded() -> None:
    raw = b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":[{"type":"text","text":"\\ud800"},'
    raw += b'{"type":"tool_use","input":{"n":[NaN,' + b"9" * 5000 + b"]}}]}}}"
    message = record(None, raw).result.message
    assert message is not None
    assert message.text == "\ud800"


def test_it_is_decoded_once() -> None:
    one = record({"type": "expired"})
    assert one.result is one.result


@pytest.mark.parametrize(
    "raw",
    [
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":"text"}}}',
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":[{"type":"text","text":"\xff"}]}}}',
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"usage":{"input_tokens":"1"}}}}',
        b'{"custom_id":"a","result":{"type":"succeeded","message":' + b"[" * 100_000,
    ],
    ids=["content", "utf-8", "usage", "depth"],
)
def test_a_result_of_another_shape_says_which_and_keeps_the_bytes(raw: bytes) -> None:
    bad = record(None, raw)
    with pytest.raises(RecordError, match="request 'a' in batch msgbatch_1 is not of the API's shape: ") as caught:
        bad.result  # noqa: B018 - the property is the thing tested
    assert len(str(caught.value)) < 300
    assert bad.raw == raw


def test_its_repr_says_which_but_not_what() -> None:
    one = record({"type": "secret"})
    assert repr(one) == f"<Record a x, {len(one.raw)} bytes, of msgbatch_1>"


def test_lenient_loads_keeps_small_integers_exact() -> None:
    assert lenient_loads(b"[9223372036854775807, -5]") == [2**63 - 1, -5]
    assert lenient_loads(b"9" * 5000) == float("inf")


def test_a_misspelt_type_is_found_by_the_type_checker_and_refused_where_it_is_asked_for() -> None:
    canceled = Record("msgbatch_1", "a", "canceled", b"")
    # mypy looks at the tests too, and says so when one of these is no mistake in its eyes.
    assert canceled.type != "cancelled"  # type: ignore[comparison-overlap]
    with pytest.raises(ConfigurationError, match="'cancelled' is no type of result"):
        streamer.RunOptions(only={"cancelled"})  # type: ignore[arg-type]
    wanted: set[streamer.ResultType] = {"canceled", "expired"}
    assert streamer.RunOptions(only=wanted).only == wanted
    assert set(get_args(streamer.ResultType)) == {"succeeded", "errored", "canceled", "expired"}
