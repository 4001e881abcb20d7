"""CSV and its template: what is in a record stays inside the string it is put into."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.requests.template import ParamsTemplate, TemplateError
from tests.requests.samples import lines_of, params, prepared, refused

TEMPLATE = params(messages=[{"role": "user", "content": "Sum up {{briefly}}: {article}"}])


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return written(tmp_path, TEMPLATE)


def written(directory: Path, template: Any) -> Path:
    file = directory / "params.json"
    file.write_text(json.dumps(template, indent=2))
    return file


def content(request: Any) -> str:
    return str(request["params"]["messages"][0]["content"])


def test_each_record_makes_a_request(tmp_path: Path, template: Path) -> None:
    table = b'\xef\xbb\xbfn,article\r\n1,"He said ""no"",\r\nand left {n}"\r\n\r\n2,Stra\xc3\x9fe\r\n'
    spool = prepared(tmp_path, table, template=template)

    assert [one["custom_id"] for one in lines_of(spool)] == ["request-1", "request-2"]
    assert [content(one) for one in lines_of(spool)] == [
        'Sum up {briefly}: He said "no",\r\nand left {n}',
        "Sum up {briefly}: Straße",
    ]
    assert lines_of(spool)[0]["params"].keys() == TEMPLATE.keys()
    fields = (spool.path.parent / "fields.jsonl").read_text().splitlines()
    assert list(map(json.loads, fields)) == [
        {"n": "1", "article": 'He said "no",\r\nand left {n}'},
        {"n": "2", "article": "Straße"},
    ]


def test_a_column_may_give_the_ids(tmp_path: Path, template: Path) -> None:
    spool = prepared(tmp_path, b"article,custom_id\nx,a\ny,b\n", template=template)
    assert [one["custom_id"] for one in lines_of(spool)] == ["a", "b"]


def test_ids_of_a_column_are_checked_like_any(tmp_path: Path, template: Path) -> None:
    assert refused(tmp_path, b'article,custom_id\n"x\ny",a\nz,a b\nz,a\n', template=template) == [
        "stdin, line 4: the custom_id 'a b' is not 1 to 64 letters, digits, hyphens and underscores",
        "stdin, line 5: the custom_id 'a' was used in line 2 already",
    ]


def test_a_later_submission_leaves_no_fields_of_an_earlier_one(tmp_path: Path, template: Path) -> None:
    spool = prepared(tmp_path, b"article\nx\n", template=template)
    prepared(tmp_path, json.dumps([{"custom_id": "a", "params": params()}]).encode())
    assert [file.name for file in spool.path.parent.iterdir()] == ["requests.jsonl"]


def test_a_field_may_be_long(tmp_path: Path, template: Path) -> None:
    assert len(content(lines_of(prepared(tmp_path, b"article\n" + b"x" * 300_000, template=template))[0])) > 300_000


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_what_a_record_holds_changes_nothing_but_its_string(values: list[str]) -> None:
    columns = [f"c{n}" for n in range(len(values))]
    template = {"system": "".join(f"<{{{column}}}>" for column in columns), "x": ["{c0}", 1.0, None]}
    filled = ParamsTemplate(json.dumps(template).encode()).for_columns(columns).fill(values)
    assert json.loads(filled) == {"system": "".join(f"<{value}>" for value in values), "x": [values[0], 1.0, None]}


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_template_with_doubled_braces_is_what_it_was(key: str, text: str) -> None:
    template = json.dumps({key: text.replace("{", "{{").replace("}", "}}")}).encode()
    assert json.loads(ParamsTemplate(template).for_columns([]).fill([])) == {key: text}


def test_what_is_outside_strings_is_kept_as_it_is_written() -> None:
    assert ParamsTemplate(b'{"a": 1.0, "b": 12345678901234567890123, "{k}": [1E5]}').for_columns([]).fill([]) == (
        b'{"a":1.0,"b":12345678901234567890123,"{k}":[1E5]}'
    )


@pytest.mark.parametrize("attack", ["{article.__class__}", "{article[0]}", "{0}", "{}", "{article!r}", "{article:>9}"])
def test_a_placeholder_is_the_name_of_a_column_and_nothing_else(attack: str) -> None:
    template = ParamsTemplate(json.dumps({"system": attack}).encode())
    with pytest.raises(TemplateError, match="the columns are 'article'"):
        template.for_columns(["article"])
    assert template.for_columns([attack[1:-1]]).fill(["fine"]) == b'{"system":"fine"}'


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, template: Path) -> None:
    assert refused(tmp_path, b"id,text\n1,x\n", template=template) == [
        "stdin, line 1: the template names 'article', and the columns are 'id', 'text'"
    ]


@pytest.mark.parametrize(
    ("file", "hint"),
    [
        (b"id;article\n1;x\n", "; columns are separated by commas: python3 -c 'import csv, sys; r = list(csv.reader("),
        (b'{"custom_id": "a", "params": {}}\n', "leave it out (--template)"),
    ],
)
def test_a_file_of_another_form_than_csv_is_told_so(tmp_path: Path, template: Path, file: bytes, hint: str) -> None:
    (told,) = refused(tmp_path, file, template=template)
    assert hint in told


def test_braces_around_json_are_told_to_be_doubled() -> None:
    template = ParamsTemplate(json.dumps({"system": 'Say {"label": "x"}'}).encode())
    with pytest.raises(TemplateError, match=r"doubled: \{\{ and \}\}$"):
        template.for_columns(["article"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "the template must be params as a JSON object: "),
        (b"[1]", "the template must be params as a JSON object: "),
        (b'{"a": "\xff"}', "the template must be params as a JSON object: "),
        (b'{"a": "x } y"}', "a single } in 'x } y': braces go around the name of a column, and one that is meant"),
        (b'{"a": "{x"}', "a single { in '{x': braces"),
    ],
)
def test_a_template_that_cannot_be_used_is_told(tmp_path: Path, text: bytes, reason: str) -> None:
    file = tmp_path / "params.json"
    file.write_bytes(text)
    (told,) = refused(tmp_path, b"a\n1\n", template=file)
    assert told.startswith(f"{file}: {reason}")


def test_a_template_that_is_not_there_is_told(tmp_path: Path) -> None:
    (told,) = refused(tmp_path, b"a\n1\n", template=tmp_path / "none.json")
    assert told == f"{tmp_path}/none.json: this cannot be read: No such file or directory"


def test_csv_without_a_template_is_told(tmp_path: Path) -> None:
    file = tmp_path / "articles.CSV"
    file.write_text("article\nx\n")
    assert refused(tmp_path, file) == [
        f"{file}: a CSV file needs a template of the params that its records stand for (--template)"
    ]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            b"article,n\nx,1\ny\nz,1,2\n",
            ["line 3: the header has 2 columns, and this record has 1", "line 4: the header"],
        ),
        (b"article,article\nx,1\n", ["line 1: the header names 'article' more than once"]),
        (b"\narticle\n", ["line 1: the first line must name the columns, and it is blank"]),
        (
            b'article\nx\n"y\n\nz',
            ["line 3: this is no CSV, and what comes after it cannot be read: unexpected end of data"],
        ),
        (b'article\n"x"y\nz\n', ["line 2: this is no CSV, and what comes after it cannot be read: "]),
        (
            b"article\nx\n\xe9\nz\n\xe9\n",
            ["line 3: this is no UTF-8; save the file as UTF-8", "line 5: this is no UTF-8"],
        ),
        (b"article\n", [": there is no request in it"]),
    ],
)
def test_a_table_that_is_broken_is_told_with_its_line(
    tmp_path: Path, template: Path, table: bytes, told: list[str]
) -> None:
    found = refused(tmp_path, table, template=template)
    assert len(found) == len(told), found
    for sentence, reason in zip(found, told, strict=True):
        assert sentence.removeprefix("stdin").removeprefix(", ").startswith(reason)


def test_params_that_the_template_makes_are_checked(tmp_path: Path) -> None:
    template = written(tmp_path, {**TEMPLATE, "stream": True})
    assert refused(tmp_path, b"article\nx\n", template=template) == [
        "stdin, line 2: params.stream is true, which batches do not support; leave it out"
    ]


def test_a_table_may_come_from_a_writer_of_the_standard_library(tmp_path: Path, template: Path) -> None:
    records = [{"article": f'a "{n}"\n,;\t', "n": str(n)} for n in range(100)]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["article", "n"])
    writer.writeheader()
    writer.writerows(records)
    spool = prepared(tmp_path, out.getvalue().encode(), template=template)
    assert list(map(json.loads, (spool.path.parent / "fields.jsonl").read_text().splitlines())) == records
