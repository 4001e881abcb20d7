"""Every input that cannot be sent: told with file, line and reason, all of it, and nothing is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamer.requests.options import PrepareOptions
from streamer.requests.prepare import prepare
from streamer.requests.problems import InvalidRequestsError, Problem
from tests.requests.samples import PARAMS, jsonl, params, refused, request

GOOD = request("good")
USER = {"role": "user", "content": "x"}


def with_params(text: str) -> bytes:
    """A request whose params hold some raw JSON."""
    return (
        b'{"custom_id":"a","params":{"model":"m","max_tokens":1,"messages":[{"role":"user","content":%s}]}}'
        % text.encode()
    )


ID_RULE = "is not 1 to 64 letters, digits, hyphens and underscores"
LINES: dict[str, tuple[Any, list[str]]] = {
    "cut off": (b'{"custom_id":"a"', ["this is no JSON: Input data was truncated"]),
    "two to a line": (json.dumps(GOOD).encode() * 2, ["this is no JSON: trailing characters"]),
    "an empty one and more": (b"{}{", ["this is no JSON: trailing characters"]),
    "single quotes": (b"{'custom_id': 'a'}", ["this is no JSON: "]),
    "not a number": (with_params("NaN"), ["this is no JSON: invalid character"]),
    "half a character": (
        with_params(r'"\ud800 x"'),
        ["half of a character pair (\\ud800) in params.messages[0].content: the text was cut within a character"],
    ),
    "a raw control character": (with_params('"\x01"'), ["this is no JSON: invalid character"]),
    "not UTF-8": (with_params('"?"').replace(b"?", b"\xe9"), ["this is no UTF-8: byte 0xe9 at position"]),
    "not UTF-8 in what is not looked at": (
        json.dumps(request("a", metadata={"x": "?"})).encode().replace(b"?", b"\xe9"),
        ["this is no UTF-8: byte 0xe9"],
    ),
    "nested too deeply": (with_params("[" * 100_000 + "]" * 100_000), ["this cannot be read: it is nested too deeply"]),
    "no object": ([1], ["a request is a JSON object with custom_id and params, and this is none"]),
    "no custom_id": ({"params": PARAMS}, ["there is no custom_id"]),
    "no params": ({"custom_id": "a"}, ["there are no params"]),
    "neither": ({}, ["there is no custom_id", "there are no params"]),
    "something else": ({**request("a"), "url": "/v1"}, ["'url' does not belong in a request, which has custom_id and"]),
    "custom_id a number": ({"custom_id": 7, "params": PARAMS}, ["the custom_id must be a string"]),
    "custom_id null": ({"custom_id": None, "params": PARAMS}, ["the custom_id must be a string"]),
    "custom_id empty": (request(""), [f"the custom_id '' {ID_RULE}"]),
    "custom_id with a space": (request("a b"), [f"the custom_id 'a b' {ID_RULE}"]),
    "custom_id ending in a newline": (request("a\n"), [f"the custom_id 'a\\n' {ID_RULE}"]),
    "custom_id not ASCII": (request("é"), [f"the custom_id '\\xe9' {ID_RULE}"]),
    "custom_id of 65 characters": (request("x" * 65), [f"the custom_id '{'x' * 65}' {ID_RULE}"]),
    "params a list": ({"custom_id": "a", "params": []}, ["params must be a JSON object"]),
    "params null": ({"custom_id": "a", "params": None}, ["params must be a JSON object"]),
    "no model": (request("a", model=...), ["params.model is missing"]),
    "no max_tokens": (request("a", max_tokens=...), ["params.max_tokens is missing"]),
    "no messages": (request("a", messages=...), ["params.messages is missing"]),
    "model a number": (request("a", model=3), ["params.model is wrong: expected str, got int"]),
    "model empty": (request("a", model=""), ["params.model is wrong: expected str of length >= 1"]),
    "max_tokens 0": (request("a", max_tokens=0), ["params.max_tokens is 0, which batches do not support; it must be"]),
    "max_tokens negative": (request("a", max_tokens=-1), ["params.max_tokens is wrong: expected int >= 1"]),
    "max_tokens a string": (request("a", max_tokens="5"), ["params.max_tokens is wrong: expected int, got str"]),
    "max_tokens 1.5": (request("a", max_tokens=1.5), ["params.max_tokens is wrong: expected int, got float"]),
    "max_tokens true": (request("a", max_tokens=True), ["params.max_tokens is wrong: expected int, got bool"]),
    "messages empty": (request("a", messages=[]), ["params.messages is empty; it must have at least one message"]),
    "messages a string": (request("a", messages="x"), ["params.messages is wrong: expected array, got str"]),
    "a message a string": (
        request("a", messages=[USER, "x"]),
        ["params.messages[1] is wrong: expected object, got str"],
    ),
    "a message without role": (
        request("a", messages=[{"content": "x"}]),
        ["params.messages[0] is wrong: object missing"],
    ),
    "a message without content": (
        request("a", messages=[{"role": "user"}]),
        ["params.messages[0] is wrong: object missi"],
    ),
    "stream": (request("a", stream=True), ["params.stream is true, which batches do not support; leave it out"]),
    "speed": (request("a", speed="fast"), ["params.speed is not supported in batches; leave it out"]),
    "store": (request("a", store=False), ["params.store is not supported in batches; leave it out"]),
    "previous_thread_event_id": (
        request("a", previous_thread_event_id="x"),
        ["params.previous_thread_event_id is not supported in batches; leave it out"],
    ),
    "cache_hint": (request("a", cache_hint={}), ["params.cache_hint is not supported in batches; leave it out"]),
    "context_hint": (request("a", context_hint={}), ["params.context_hint is not supported in batches; leave it out"]),
    "fallbacks": (request("a", fallbacks=[]), ["params.fallbacks is not supported in batches; leave it out"]),
    "research preview": (
        request("a", research_preview_2026_02="active"),
        ["params.research_preview_2026_02 is active, which batches do not support; leave it out"],
    ),
    "bill_to": (
        request("a", billing_policy={"bill_to": "user_profile"}),
        ["params.billing_policy.bill_to is user_profile, which batches do not support; leave it out"],
    ),
    "betas": (
        request("a", betas=["output-300k-2026-03-24"]),
        ["params.betas: betas go with the batch, not into params: leave it out and say --beta NAME"],
    ),
    "extra_headers": (request("a", extra_headers={}), ["params.extra_headers: headers go with the batch"]),
    "extra_body": (request("a", extra_body={"x": 1}), ["params.extra_body: it is an argument of a client's call"]),
    "timeout": (request("a", timeout=60), ["params.timeout: it is an argument of a client's call"]),
    "anthropic_version": (request("a", anthropic_version="x"), ["params.anthropic_version: it is for Bedrock"]),
    "two custom_ids": (
        json.dumps(request("a")).encode().replace(b"{", b'{"custom_id": "b", ', 1),
        ["'custom_id' stands in this request twice, and only one can be meant"],
    ),
    "two custom_ids, one of them escaped": (
        json.dumps(request("a")).encode().replace(b"{", b'{"custom\\u005fid":"b",', 1),
        ["'custom_id' stands in this request twice, and only one can be meant"],
    ),
    "two params": (
        json.dumps(request("a")).encode()[:-1] + b',"params":' + json.dumps(PARAMS).encode() + b"}",
        ["'params' stands in this request twice, and only one can be meant"],
    ),
    "half a character in a block": (
        request("a", messages=[{"role": "user", "content": [{"type": "text", "text": "cut \ud83d"}]}]),
        ["half of a character pair (\\ud83d) in params.messages[0].content[0].text, after 'cut ': the text was cut"],
    ),
    "half a character in what is not looked at": (
        request("a", metadata={"x": "\udc00"}),
        ["half of a character pair (\\udc00) in params.metadata.x: the text was cut"],
    ),
    "half a character in a key": (
        request("a", metadata={"x\ud83d": 1}),
        ["half of a character pair (\\ud83d) in a key of params.metadata: the text was cut"],
    ),
    "content a number": (
        request("a", messages=[USER, {"role": "user", "content": 5}]),
        ["params.messages[1].content is wrong: expected str | array, got int"],
    ),
    "system a number": (request("a", system=5), ["params.system is wrong: expected str | array, got int"]),
    "custom_id within params": (request("a", custom_id="b"), ["custom_id does not belong in params, but beside them"]),
    "all at once": (
        {"custom_id": "*", "params": params(model=..., max_tokens=0, messages=[], stream=True, speed=1), "x": 1},
        [
            "'x' does not belong",
            "the custom_id '*'",
            "params.model is missing",
            "params.max_tokens is 0",
            "params.messages is empty",
            "params.speed is not",
            "params.stream is true",
        ],
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_a_request_that_cannot_be_sent_is_told_with_file_line_and_reasons(tmp_path: Path, name: str) -> None:
    line, reasons = LINES[name]
    file = tmp_path / "requests.jsonl"
    file.write_bytes(jsonl(GOOD, b"", line, request("later")))
    told = refused(tmp_path, file)
    assert len(told) == len(reasons), told
    for sentence, reason in zip(told, reasons, strict=True):
        assert sentence.startswith(f"{file}, line 3: {reason}")


@pytest.mark.parametrize(
    "name",
    [name for name in LINES if name not in ("cut off", "two to a line", "an empty one and more", "single quotes")],
)
def test_the_same_in_an_array_is_told_with_the_number_of_the_request(tmp_path: Path, name: str) -> None:
    line, reasons = LINES[name]
    if name in ("not a number", "a raw control character"):  # ijson cannot go on behind these
        reasons = ["this is no JSON, and what comes after it cannot be read: lexical error"]
    text = b",\n".join(jsonl(one).strip() for one in (GOOD, GOOD | {"custom_id": "b"}, line, request("later")))
    told = refused(tmp_path, b"[\n" + text + b"]")
    assert len(told) == len(reasons), told
    for sentence, reason in zip(told, reasons, strict=True):
        assert sentence.startswith(f"stdin, request 3 (line 4): {reason}")


def test_what_the_api_allows_is_not_refused(tmp_path: Path) -> None:
    allowed = request(
        "a",
        stream=False,
        speed=None,
        store=None,
        fallbacks=None,
        research_preview_2026_02=None,
        billing_policy={"bill_to": "workspace"},
        temperature=0.5,
        top_k=3,
        system=[{"type": "text", "text": "x"}],
        tools=[{"name": "t", "input_schema": {}}],
        not_known_yet={"x": 1},
    )
    prepare(
        [_file(tmp_path, jsonl(allowed))],
        tmp_path / "spool.jsonl",
        PrepareOptions(on_problem=lambda problem: pytest.fail(str(problem))),
    )


def test_an_id_is_unique_in_the_whole_submission(tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.json"
    one.write_bytes(jsonl(request("a"), request("b"), request("a")))
    two.write_bytes(json.dumps([request("c"), request("b"), request("a")]).encode())
    assert refused(tmp_path, one, two) == [
        f"{one}, line 3: the custom_id 'a' was used in line 1 already",
        f"{two}, request 2 (line 1): the custom_id 'b' was used in {one}, line 2 already",
        f"{two}, request 3 (line 1): the custom_id 'a' was used in {one}, line 1 already",
    ]


def test_an_id_counts_as_used_by_a_request_with_another_fault(tmp_path: Path) -> None:
    assert refused(tmp_path, jsonl(request("a", stream=True), request("a", model=...))) == [
        "stdin, line 1: params.stream is true, which batches do not support; leave it out",
        "stdin, line 2: params.model is missing",
        "stdin, line 2: the custom_id 'a' was used in line 1 already",
    ]


def test_an_id_that_was_made_may_meet_one_that_was_given(tmp_path: Path) -> None:
    told = refused(tmp_path, jsonl(PARAMS), jsonl(request("request-1")))
    assert told == ["stdin, line 1: the custom_id 'request-1' was used in line 1 already"]


def test_a_request_too_large_for_a_batch_is_refused(tmp_path: Path) -> None:
    fits = jsonl(request("a"))
    spool = prepare(
        [_file(tmp_path, fits)], tmp_path / "s.jsonl", PrepareOptions(on_problem=lambda _: None, max_bytes=10_000)
    )
    exact = spool.slices[0].body_bytes
    assert refused(tmp_path, jsonl(request("a"), request("b", system="x" * 500)), max_bytes=exact)[0].startswith(
        f"stdin, line 2: the line has {len(jsonl(request('b', system='x' * 500))):,} bytes, and one batch takes {exact}"
    )
    compact = json.dumps([request("a"), request("bb")], separators=(",", ":")).encode()
    told = refused(tmp_path, compact, max_bytes=exact - 15)
    assert told[0].startswith("stdin, request 1 (line 1): alone it makes a body of")


def test_requests_after_a_line_too_long_to_be_held_are_still_read(tmp_path: Path) -> None:
    told = refused(tmp_path, jsonl(request("a", system="x" * (3 << 20)), b"{", request("b")), max_bytes=1000)
    assert [sentence[:22] for sentence in told] == ["stdin, line 1: the lin", "stdin, line 2: this is"]


@pytest.mark.parametrize("text", [b"", b"\n \n", b"[]", b'{"requests": []}', b"\xef\xbb\xbf", b" [ ] "])
def test_a_file_without_a_request_is_a_fault(tmp_path: Path, text: bytes) -> None:
    assert refused(tmp_path, jsonl(GOOD), text) == ["stdin: there is no request in it"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            b"[%s",
            "stdin, request 1 (line 1): the file ends within the array of requests, or something else comes after",
        ),
        (b'{"requests":[%s]', "stdin, request 1 (line 1): the file ends within the array of requests, or something"),
        (b'{"requests":[%s], "model": "x"}', "stdin, request 1 (line 1): the file ends within the array of requests,"),
        (b'[%s, {"custom_id": "b", "params": {"messages": []', "stdin, request 2 (line 1): the file ends within"),
        (b"[%s,]", "stdin, request 1 (line 1): this is no JSON: a comma after the last request"),
        (
            b"[%s] [1]",
            "stdin, request 1 (line 1): this is no JSON, and what comes after it cannot be read: parse error",
        ),
        (b"[%s 1]", "stdin, request 1 (line 1): this is no JSON: expected ',' or ']'"),
        (b'{"requests": {"a": %s}}', "stdin: requests must be an array"),
        (
            b'{"requests":[%s],"requests":[{"custom_id":"b","params":{}}]}',
            "stdin, request 1 (line 1): this is no JSON, and what comes after it cannot be read: parse error: tra",
        ),
    ],
)
def test_an_array_that_is_broken_is_told_as_far_as_it_could_be_followed(tmp_path: Path, text: bytes, told: str) -> None:
    assert refused(tmp_path, text % json.dumps(GOOD).encode())[0].startswith(told)


def test_a_file_that_cannot_be_read_does_not_hide_the_faults_of_the_others(tmp_path: Path) -> None:
    told = refused(tmp_path, tmp_path / "none.jsonl", tmp_path, b"{", "\ud800".encode("utf-16", "surrogatepass"))
    assert told == [
        f"{tmp_path}/none.jsonl: this cannot be read: No such file or directory",
        f"{tmp_path}: this cannot be read: Is a directory",
        "stdin, line 1: this is no JSON: Input data was truncated",
        "stdin: this is UTF-16; save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > utf8.jsonl",
    ]


def test_a_file_begun_with_bare_params_has_only_those(tmp_path: Path) -> None:
    assert refused(tmp_path, jsonl(PARAMS, request("a"))) == [
        "stdin, line 2: params.model is missing",
        "stdin, line 2: params.max_tokens is missing",
        "stdin, line 2: params.messages is missing",
        "stdin, line 2: custom_id does not belong in params, but beside them",
        "stdin, line 2: params does not belong in params, but beside them",
    ]


def test_all_faults_are_told_and_the_first_thousand_kept(tmp_path: Path) -> None:
    told: list[Problem] = []
    with pytest.raises(
        InvalidRequestsError, match=r"the requests have 2,500 problems; the first: .*bad\.jsonl, line 1: this"
    ) as error:
        prepare([_file(tmp_path, b"{\n" * 2500)], tmp_path / "spool.jsonl", PrepareOptions(on_problem=told.append))
    assert [problem.line for problem in told] == list(range(1, 2501))
    assert (len(error.value.problems), error.value.count) == (1000, 2500)


def _file(directory: Path, content: bytes) -> Path:
    file = directory / "bad.jsonl"
    file.write_bytes(content)
    return file


def test_two_arrays_of_requests_in_one_body_are_refused_with_the_key(tmp_path: Path) -> None:
    one = json.dumps([GOOD]).encode()
    [told] = refused(tmp_path, b'{"requests":%s,"requests":%s}' % (one, one.replace(b"good", b"b")))
    assert told.endswith("; 'requests' stands behind it, and only one array may: take it out")
