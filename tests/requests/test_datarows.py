"""Data in JSON makes requests by a template as CSV does: arrays, lines and indented objects, with paths into them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.requests.samples import PARAMS, lines_of, prepared, refused

ROWS: list[dict[str, Any]] = [
    {"id": 1, "content": 'He said "{no}"\n\U0001f600', "author": {"name": "Ann", "tags": ["x", "y"]}, "score": 1.50},
    {"id": 2, "content": "Straße", "author": {"name": "Bob", "tags": ["z"]}, "score": 12345678901234567890},
]
FORMS = {
    "array": json.dumps(ROWS).encode(),
    "array, indented": json.dumps(ROWS, indent=2, ensure_ascii=False).encode(),
    "lines": "\n".join(map(json.dumps, ROWS)).encode(),
    "lines after a mark": b"\xef\xbb\xbf" + "\r\n".join(map(json.dumps, ROWS)).encode(),
    "indented": "\n".join(json.dumps(row, indent=2) for row in ROWS).encode(),
}


def template(folder: Path, content: str, **more: Any) -> Path:
    file = folder / "template.json"
    file.write_text(json.dumps({**PARAMS, "messages": [{"role": "user", "content": content}], **more}))
    return file


def whole(folder: Path, custom_id: Any, content: str = "{content}") -> Path:
    file = folder / "template.json"
    params = {**PARAMS, "messages": [{"role": "user", "content": content}]}
    file.write_text(json.dumps({"custom_id": custom_id, "params": params}))
    return file


def contents(spool: Any) -> list[str]:
    return [one["params"]["messages"][0]["content"] for one in lines_of(spool)]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_json_makes_the_same_requests(tmp_path: Path, form: str) -> None:
    spool = prepared(tmp_path, FORMS[form], template=template(tmp_path, "{{x}} {content} of {author.name}"))
    assert contents(spool) == [
        '{x} He said "{no}"\n\U0001f600 of Ann',
        "{x} Straße of Bob",
    ]
    assert [one["custom_id"] for one in lines_of(spool)] == ["request-1", "request-2"]
    fields = (spool.path.parent / "fields.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in fields] == ROWS


def test_what_is_no_string_is_put_in_as_json(tmp_path: Path) -> None:
    text = b'[{"a": 1.50, "b": true, "c": [1, {"d": "\\""}], "e": 12345678901234567890123, "f": null, "g": {"h": 7}}]'
    spool = prepared(tmp_path, text, template=template(tmp_path, "{a}|{b}|{c}|{e}|{f}|{g}|{g.h}|{c.0}|{c.1.d}"))
    assert contents(spool) == ['1.50|true|[1, {"d": "\\""}]|12345678901234567890123||{"h": 7}|7|1|"']
    assert spool.notices == ["stdin: 1 row sent with no value in 'f': request 1 (line 1)"]


def test_a_key_with_a_point_in_it_goes_before_a_path(tmp_path: Path) -> None:
    spool = prepared(tmp_path, b'[{"a.b": "key", "a": {"b": "path"}}]', template=template(tmp_path, "{a.b}"))
    assert contents(spool) == ["key"]


def test_ids_come_from_a_key_or_from_a_template_that_is_a_whole_request(tmp_path: Path) -> None:
    data = b'{"custom_id": 7, "id": "x", "content": "a"}\n{"custom_id": 8, "id": "y", "content": "b"}\n'
    keyed = prepared(tmp_path, data, template=template(tmp_path, "{content}"))
    assert [one["custom_id"] for one in lines_of(keyed)] == ["7", "8"]
    made = prepared(tmp_path, data, template=whole(tmp_path, "article-{id}"))
    assert [one["custom_id"] for one in lines_of(made)] == ["article-x", "article-y"]
    table = prepared(tmp_path, b"id,content\n1,a\n2,b\n", template=whole(tmp_path, "article-{id}"))
    assert [(one["custom_id"], one["params"]["messages"][0]["content"]) for one in lines_of(table)] == [
        ("article-1", "a"),
        ("article-2", "b"),
    ]


def test_ids_that_a_template_makes_are_checked_like_any(tmp_path: Path) -> None:
    assert refused(tmp_path, b"id,content\na b,x\nc,y\nc,z\n", template=whole(tmp_path, "{id}")) == [
        "stdin, line 2: the custom_id 'a b' is not 1 to 64 letters, digits, hyphens and underscores",
        "stdin, line 4: the custom_id 'c' was used in line 3 already",
    ]


def test_a_row_with_an_id_alone_is_left_out(tmp_path: Path) -> None:
    data = b'{"id": 1, "content": ""}\n{"id": 2, "content": "x"}\n{"id": 3, "content": null}\n'
    spool = prepared(tmp_path, data, template=whole(tmp_path, "{id}"))
    assert [one["custom_id"] for one in lines_of(spool)] == ["2"]
    assert spool.notices == ["stdin: 2 rows left out, with no value in 'content': line 1, line 3"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            b'{"content": "a"}\n{"id": 2, "title": "b"}',
            "line 2: the template names 'content', and this row has 'id', 'ti",
        ),
        (b'{"content": "a"}\n[1]', "line 2: a row of data is a JSON object, and this is none"),
        (
            b'{"content": "a"}\n{"content": "cut \\ud83d"}',
            "line 2: half of a character pair (\\ud83d) in content, after",
        ),
        (
            b'{"content": "a"}\n{"content": "\xe9"}',
            "line 2: this is no UTF-8: byte 0xe9 at position 13; write it as UT",
        ),
        (b'{"content": "a"}\n{"content": }', "line 2: this is no JSON: "),
        (
            b'{"n": 1, "articles": [{"content": "a"}]}',
            "line 1: this is one object with the rows in 'articles': take them",
        ),
        (
            json.dumps({"custom_id": "a", "params": PARAMS}).encode(),
            "line 1: this is a request already, and a template",
        ),
    ],
)
def test_a_row_that_makes_no_request_is_told(tmp_path: Path, data: bytes, sentence: str) -> None:
    [told] = refused(tmp_path, data, template=template(tmp_path, "{content}"))
    assert told.startswith(f"stdin, {sentence}")


def test_an_id_in_a_template_has_to_be_a_string(tmp_path: Path) -> None:
    [told] = refused(tmp_path, b"content\nx\n", template=whole(tmp_path, 7))
    assert "the template must be params as a JSON object: " in told
