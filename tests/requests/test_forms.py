"""Every form of request file gives the same requests, and nothing in them changes on the way."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.requests import jsonarray
from tests.requests.samples import PARAMS, jsonl, lines_of, params, prepared, request

REQUESTS = [request("a", system="Straße"), request("b", temperature=1.0, metadata={"n": [1, {}, []]}), request("c-_9")]

FORMS: dict[str, Callable[[list[Any]], bytes]] = {
    "lines": lambda requests: jsonl(*requests),
    "lines, blank ones between": lambda requests: b"\n \r\n".join(json.dumps(one).encode() for one in requests),
    "lines, no newline at the end": lambda requests: jsonl(*requests).rstrip(),
    "lines after a byte order mark": lambda requests: b"\xef\xbb\xbf" + jsonl(*requests),
    "lines with CRLF": lambda requests: jsonl(*requests).replace(b"\n", b"\r\n"),
    "params first": lambda requests: jsonl(*({"params": r["params"], "custom_id": r["custom_id"]} for r in requests)),
    "the body": lambda requests: json.dumps({"requests": requests}).encode(),
    "the body, indented": lambda requests: json.dumps({"requests": requests}, indent=4).encode() + b"\n",
    "the body, indented, with CRLF": lambda requests: (
        json.dumps({"requests": requests}, indent=1).replace("\n", "\r\n").encode()
    ),
    "the body, compact": lambda requests: json.dumps({"requests": requests}, separators=(",", ":")).encode(),
    "indented, one after the other": lambda requests: "\n".join(json.dumps(one, indent=2) for one in requests).encode(),
    "indented with CRLF": lambda requests: "\r\n".join(
        json.dumps(one, indent=2).replace("\n", "\r\n") for one in requests
    ).encode(),
    "indented, keys on the first line": lambda requests: "\n\n".join(
        json.dumps(one, indent=1).replace("{\n ", "{ ", 1) for one in requests
    ).encode(),
    "an array": lambda requests: json.dumps(requests).encode(),
    "an array, indented": lambda requests: b"\n\n" + json.dumps(requests, indent="\t").encode(),
    "an array, not ASCII": lambda requests: json.dumps(requests, ensure_ascii=False).encode(),
    "an array after a byte order mark": lambda requests: b"\xef\xbb\xbf" + json.dumps(requests).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_told_by_what_the_file_holds(tmp_path: Path, form: str) -> None:
    spool = prepared(tmp_path, FORMS[form](REQUESTS))
    assert lines_of(spool) == REQUESTS
    assert spool.requests == 3
    assert spool.path.read_bytes().count(b"\n") == 3


def test_the_name_says_nothing_of_the_form(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_bytes(FORMS["the body, indented"](REQUESTS))
    assert lines_of(prepared(tmp_path, file)) == REQUESTS


def test_files_of_several_forms_make_one_submission_in_their_order(tmp_path: Path) -> None:
    spool = prepared(tmp_path, jsonl(REQUESTS[2]), FORMS["an array"](REQUESTS[:1]), FORMS["the body"](REQUESTS[1:2]))
    assert lines_of(spool) == [REQUESTS[2], REQUESTS[0], REQUESTS[1]]


def test_bare_params_get_ids_that_are_the_same_each_time(tmp_path: Path) -> None:
    files = jsonl(PARAMS, params(system="x")), jsonl(params(max_tokens=1))
    first = prepared(tmp_path, *files)
    assert [one["custom_id"] for one in lines_of(first)] == ["request-1", "request-2", "request-3"]
    assert [one["params"] for one in lines_of(first)] == [PARAMS, params(system="x"), params(max_tokens=1)]
    assert prepared(tmp_path, *files).digest == first.digest


def test_the_ids_of_bare_params_begin_as_the_user_says(tmp_path: Path) -> None:
    assert lines_of(prepared(tmp_path, jsonl(PARAMS), id_prefix="job_7-")) == [
        {"custom_id": "job_7-1", "params": PARAMS}
    ]


def test_the_same_requests_make_the_same_spool(tmp_path: Path) -> None:
    digests = {prepared(tmp_path, FORMS[form](REQUESTS)).digest for form in ("lines", "an array", "the body")}
    assert len(digests) == 1


class Trickle(io.RawIOBase):
    """A pipe that gives little at a time."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part, self._rest = self._rest[:7], self._rest[7:]
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("form", ["lines", "the body, indented"])
def test_a_pipe_may_give_little_at_a_time(tmp_path: Path, form: str) -> None:
    pipe = io.BufferedReader(Trickle(FORMS[form](REQUESTS)), 16)
    assert lines_of(prepared(tmp_path, pipe)) == REQUESTS


# Text of JSON, not values: what a reader might change is how something is written.
NUMBERS = st.one_of(
    st.integers().map(str),
    st.sampled_from(
        ["1.0", "-0", "0.10", "1E5", "1e-7", "12345678901234567890123", "1.50000000000000000000000001", "2e999"]
    ),
    st.integers(4000, 5000).map(lambda digits: "7" * digits),
)
STRINGS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(
        lambda text: json.dumps(text, ensure_ascii=False)
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(json.dumps),
    st.sampled_from(
        ['"}, {"', '"},{\\"custom_id\\":\\""', '"]}"', '"\\\\"', '"\\u0041\\/"', '"\\ud83d\\ude00"', '"\x7f"']
    ),
)
SPACES = st.sampled_from(["", " ", "\n", "\r\n\t"])


def _array(values: list[str], space: str) -> str:
    return "[" + space + f",{space}".join(values) + space + "]"


def _object(pairs: list[tuple[str, str]], space: str) -> str:
    return "{" + space + f",{space}".join(f"{key}{space}:{value}" for key, value in pairs) + space + "}"


JSON = st.recursive(
    st.one_of(NUMBERS, STRINGS, st.sampled_from(["null", "true", "false", "[]", "{}"])),
    lambda below: st.one_of(
        st.builds(_array, st.lists(below, max_size=4), SPACES),
        st.builds(_object, st.lists(st.tuples(STRINGS, below), max_size=4), SPACES),
    ),
    max_leaves=12,
)


def _tokens(text: str) -> str:
    """JSON without the white space between its parts."""
    out, inside, escaped = [], False, False
    for char in text:
        if inside or char not in " \n\r\t":
            out.append(char)
        if char == '"' and not escaped:
            inside = not inside
        escaped = inside and char == "\\" and not escaped
    return "".join(out)


@given(
    st.lists(JSON, min_size=1, max_size=4),
    SPACES,
    st.sampled_from(["lines", "array", "body", "indented"]),
    st.integers(1, 100),
)
def test_nothing_in_a_request_changes_but_white_space(values: list[str], space: str, form: str, piece: int) -> None:
    requests = [
        f'{{"custom_id":{space}"r{n}","params":{{"model":"m",{space}"max_tokens":1,'
        f'"messages":[{{"role":"user","content":"x"}}],"metadata":{value}}}}}'
        for n, value in enumerate(values)
    ]
    text = _array(requests, space)
    if form == "body":
        text = f'{{{space}"requests"{space}:{text}{space}}}'
    elif form == "indented":
        text = "\n".join("{\n" + one[1:] for one in requests)
    elif form == "lines":
        text = "\n".join(one.replace("\n", " ").replace("\r", " ") for one in requests)
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as directory:
        patch.setattr(jsonarray, "PIECE", piece)
        spooled = prepared(Path(directory), text.encode()).path.read_bytes().decode()
    assert [_tokens(line) for line in spooled.split("\n")[:-1]] == [_tokens(one) for one in requests]


def test_a_key_that_stands_twice_is_sent_as_it_stands(tmp_path: Path) -> None:
    messages = b'[{"role":"user","content":"x"}]'
    line = b'{"custom_id":"a","params":{"model":"m","max_tokens":5,"max_tokens":1,"messages":%s}}' % messages
    spool = prepared(tmp_path, line)
    assert spool.path.read_bytes() == line + b"\n"
    assert spool.estimate.output_tokens_most == {"m": 1}, "the last one counts"
