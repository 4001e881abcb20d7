"""Whatever comes, it is either a request that can be sent or told why it is none; nothing else happens."""

from __future__ import annotations

import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.requests.check import CUSTOM_ID, Refused, check_params, check_request
from streamer.requests.options import PrepareOptions
from streamer.requests.prepare import prepare
from streamer.requests.problems import InvalidRequestsError, Problem
from tests.requests.samples import PARAMS, request

VALUES = st.sampled_from([None, True, False, 0, 1, -1, 1.5, "", "active", [], [1], {}, {"bill_to": "user_profile"}])
MESSAGES = st.lists(st.dictionaries(st.sampled_from(["role", "content", "x"]), VALUES, max_size=3), max_size=2)
REFUSED = {
    "speed",
    "store",
    "previous_thread_event_id",
    "cache_hint",
    "context_hint",
    "fallbacks",
    "custom_id",
    "params",
}
NAMES = ["model", "max_tokens", "messages", "system", "tools", "cache_control", "stream", "temperature"]
NAMES += ["research_preview_2026_02", "billing_policy", *sorted(REFUSED)]


def is_good(params: dict[str, Any]) -> bool:
    """The rules once more, over plain values."""
    messages, system, tools = (params.get(name) for name in ("messages", "system", "tools"))
    return (
        isinstance(params.get("model"), str)
        and params["model"] != ""
        and type(params.get("max_tokens")) is int
        and params["max_tokens"] >= 1
        and isinstance(messages, list)
        and messages != []
        and all(
            isinstance(one, dict) and isinstance(one.get("role"), str) and isinstance(one.get("content"), str | list)
            for one in messages
        )
        and isinstance(system, str | list | None)
        and isinstance(tools, list | None)
        and all(params.get(name) is None for name in REFUSED)
        and (params.get("stream") is None or params["stream"] is False)
        and params.get("research_preview_2026_02") != "active"
        and params.get("billing_policy") != {"bill_to": "user_profile"}
    )


@given(
    st.dictionaries(st.sampled_from(NAMES), VALUES),
    st.lists(st.sampled_from(NAMES), max_size=1),
    MESSAGES | st.just(PARAMS["messages"]),
)
def test_params_are_refused_exactly_when_a_rule_is_broken(
    changes: dict[str, Any], missing: list[str], messages: list[Any]
) -> None:
    params = {name: value for name, value in {**PARAMS, "messages": messages, **changes}.items() if name not in missing}
    text = json.dumps({"custom_id": "a", "params": params}).encode()
    if is_good(params):
        assert json.loads(bytes(check_request(text).raw)) == params
        return
    with pytest.raises(Refused) as caught:
        check_request(text)
    assert caught.value.reasons
    assert caught.value.custom_id == "a"


PIECES = st.lists(
    st.one_of(
        st.sampled_from([b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b" ", b"\xff", b"\xef\xbb\xbf"]),
        st.sampled_from([b'{"requests":[', b'"custom_id"', b'"params"', b"1" * 5000, b'}, {"', b"\\ud800", b"1e999"]),
        st.sampled_from([json.dumps(request(custom_id)).encode() for custom_id in "abc"]),
        st.binary(max_size=5),
    ),
    max_size=12,
).map(b"".join)


@given(PIECES, st.booleans())
def test_no_file_whatever_it_holds_does_anything_but_be_read_or_refused(content: bytes, table: bool) -> None:
    told: list[Problem] = []
    with TemporaryDirectory() as directory:
        template = Path(directory) / "params.json"
        template.write_text(json.dumps(PARAMS))
        spool = Path(directory) / "project" / "requests.jsonl"
        caught: InvalidRequestsError | None = None
        try:
            prepare(
                [io.BytesIO(content)],
                spool,
                PrepareOptions(on_problem=told.append, template=template if table else None),
            )
        except InvalidRequestsError as error:
            caught = error
        if caught is None:
            assert not told
            lines = spool.read_bytes().split(b"\n")[:-1]
            assert lines
            assert all(CUSTOM_ID.fullmatch(json.loads(line)["custom_id"]) for line in lines)
        else:
            assert caught.count == len(told) > 0
            assert not spool.parent.exists()
    assert all(str(problem).isprintable() for problem in told), told


@pytest.mark.parametrize("custom_id", ["a", "A-z_9", "-", "0" * 64])
def test_ids_of_the_pattern_pass(custom_id: str) -> None:
    assert check_request(json.dumps(request(custom_id)).encode()).custom_id == custom_id


def test_what_is_nested_too_deeply_behind_another_fault_is_refused_too() -> None:
    with pytest.raises(Refused, match="nested too deeply"):
        check_params("a", b'{"model":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
