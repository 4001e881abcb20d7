import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.emulator.envelope import Envelope
from streamer.emulator.errors import Refusal

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8).filter(str.isprintable),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def read(body: bytes, *cuts: int, max_requests: int = 10, max_bytes: int = 10_000) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    envelope = Envelope(
        lambda custom_id, params: found.append((custom_id, params)), max_requests=max_requests, max_bytes=max_bytes
    )
    bounds = [0, *sorted(cuts), len(body)]
    for start, end in itertools.pairwise(bounds):
        envelope.feed(body[start:end])
    assert envelope.finish() == len(found)
    return found


def refusal(body: bytes, **limits: int) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(body, **limits)
    return caught.value


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=3), min_size=1, max_size=4), st.data())
def test_requests_come_out_as_they_were_however_the_body_is_cut(
    params: list[dict[str, Any]], data: st.DataObject
) -> None:
    requests = [{"custom_id": f"r-{number}", "params": one} for number, one in enumerate(params)]
    body = json.dumps({"requests": requests}, ensure_ascii=False).encode()
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=6))
    assert read(body, *cuts) == [(one["custom_id"], one["params"]) for one in requests]


def test_params_may_come_before_the_custom_id_and_numbers_keep_their_kind() -> None:
    body = b' {"requests" : [ {"params":{"temperature":0.5,"max_tokens":3},"custom_id":"a"} ] } '
    [(custom_id, params)] = read(body)
    assert (custom_id, params) == ("a", {"temperature": 0.5, "max_tokens": 3})
    assert isinstance(params["temperature"], float)


def one(custom_id: object = "a", **more: object) -> bytes:
    return json.dumps({"requests": [{"custom_id": custom_id, "params": {}, **more}]}).encode()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (one("x" * 65), "requests.0.custom_id: String should have at most 64 characters"),
        (one("a b"), "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
        (one("a\n"), "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
        (one(""), "requests.0.custom_id: String should have at least 1 character"),
        (one(7), "requests.0.custom_id: Input should be a valid string"),
        (one(model="m"), "requests.0.model: Extra inputs are not permitted"),
        (b'{"requests":[{"params":{}}]}', "requests.0.custom_id: Field required"),
        (b'{"requests":[{"custom_id":"a"}]}', "requests.0.params: Field required"),
        (b'{"requests":[{"custom_id":"a","params":[]}]}', "requests.0.params: Input should be a valid dictionary"),
        (b'{"requests":[{"custom_id":"a","params":{}},7]}', "requests.1: Input should be a valid dictionary"),
        (b'{"requests":[]}', "requests: List should have at least 1 item after validation, not 0"),
        (b'{"requests":{}}', "requests: Input should be a valid list"),
        (b"{}", "requests: Field required"),
        (b'{"requests":[],"model":"m"}', "model: Extra inputs are not permitted"),
        (b"[]", "Input should be a valid dictionary"),
    ],
)
def test_envelope_errors_are_told_at_once(body: bytes, message: str) -> None:
    error = refusal(body)
    assert (error.status, error.message) == (400, message)


def test_a_custom_id_that_comes_twice_is_refused() -> None:
    body = json.dumps({"requests": [{"custom_id": "a", "params": {}}, {"custom_id": "a", "params": {}}]}).encode()
    assert refusal(body).message.startswith("requests.1.custom_id: custom_id must be unique")


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"requests":[', b"nonsense", b'{"requests":["\xff"]}', b'{"requests":[]}}', one() + b"x"]
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    error = refusal(body)
    assert error.status == 400
    assert "not valid JSON" in error.message


def test_limits_of_requests_and_bytes() -> None:
    body = json.dumps({"requests": [{"custom_id": f"{n}", "params": {}} for n in range(4)]}).encode()
    assert len(read(body, max_requests=4, max_bytes=len(body))) == 4
    too_many = refusal(body, max_requests=3)
    assert (too_many.status, "at most 3 items" in too_many.message) == (400, True)
    assert refusal(body, max_bytes=len(body) - 1).status == 413
