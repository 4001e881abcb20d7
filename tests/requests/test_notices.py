"""What is sent, or left out, and may not be meant so: counted and told before money is spent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.requests.samples import PARAMS, jsonl, lines_of, params, prepared, request


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    file = tmp_path / "params.json"
    file.write_text(json.dumps({**PARAMS, "messages": [user("Classify: {item}")]}))
    return file


TABLE = b"item,note\napple,red\n,\n,\npear,\n,only a note\n   ,blank\n\n"


def test_rows_with_nothing_for_the_template_are_left_out_and_counted(tmp_path: Path, template: Path) -> None:
    spool = prepared(tmp_path, TABLE, template=template)
    assert [one["params"]["messages"][0]["content"] for one in lines_of(spool)] == ["Classify: apple", "Classify: pear"]
    assert [one["custom_id"] for one in lines_of(spool)] == ["request-1", "request-2"]
    assert spool.notices == ["stdin: 4 rows left out, with no value in 'item': line 3, line 4, line 6, ..."]
    assert (spool.path.parent / "fields.jsonl").read_text().splitlines() == [
        '{"item":"apple","note":"red"}',
        '{"item":"pear","note":""}',
    ]


def test_cells_that_the_template_uses_and_are_blank_are_counted_by_column(tmp_path: Path) -> None:
    template = tmp_path / "params.json"
    template.write_text(json.dumps({**PARAMS, "messages": [user("{item}: {note}")]}))
    spool = prepared(tmp_path, TABLE, template=template)
    assert [one["params"]["messages"][0]["content"] for one in lines_of(spool)] == [
        "apple: red",
        "pear: ",
        ": only a note",
        "   : blank",
    ]
    assert spool.notices == [
        "stdin: 2 rows left out, with no value in 'item', 'note': line 3, line 4",
        "stdin: 1 row sent with no value in 'note': line 5",
        "stdin: 2 rows sent with no value in 'item': line 6, line 7",
    ]


def test_columns_without_a_name_that_a_spreadsheet_leaves_behind_do_no_harm(tmp_path: Path, template: Path) -> None:
    spool = prepared(tmp_path, b"item,,\napple,,\n,,\n", template=template)
    assert (spool.requests, len(spool.notices)) == (1, 1)


def test_a_template_without_columns_needs_a_row_with_something_in_it(tmp_path: Path) -> None:
    template = tmp_path / "params.json"
    template.write_text(json.dumps(PARAMS))
    spool = prepared(tmp_path, b"a,b\n1,\n,\n", template=template)
    assert spool.requests == 1
    assert spool.notices == ["stdin: 1 row left out, with no value in 'a', 'b': line 3"]


EMPTY: dict[str, Any] = {
    "nothing": user(""),
    "white space": user("   "),
    "escaped white space": user("\n\t\u3000\u00a0"),
    "no block": user([]),
    "an empty block": user([{"type": "text", "text": "x"}, {"type": "text", "text": " "}]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_request_with_an_empty_text_is_told(tmp_path: Path, name: str) -> None:
    spool = prepared(tmp_path, jsonl(request("a"), request("e-0", messages=[EMPTY[name]]), request("b")))
    assert spool.requests == 3
    assert spool.notices == ["stdin: 1 request with an empty text, which the API refuses: line 2 (e-0)"]


@pytest.mark.parametrize(
    "messages",
    [
        [user("x"), {"role": "assistant", "content": ""}],
        [user([{"type": "tool_result", "tool_use_id": "t", "content": ""}])],
        [user([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}])],
        [user("\\n")],
        [user("0")],
    ],
)
def test_what_may_be_empty_is_not_told(tmp_path: Path, messages: Any) -> None:
    assert prepared(tmp_path, jsonl(request("a", messages=messages, system=""))).notices == []


def test_requests_that_a_template_makes_empty_are_told_with_their_line(tmp_path: Path) -> None:
    template = tmp_path / "params.json"
    template.write_text(json.dumps(params(system="{note}", messages=[user("{item}")])))
    spool = prepared(tmp_path, b"item,note\n,x\n", template=template)
    assert spool.notices == [
        "stdin: 1 row sent with no value in 'item': line 2",
        "stdin: 1 request with an empty text, which the API refuses: line 2 (request-1)",
    ]
