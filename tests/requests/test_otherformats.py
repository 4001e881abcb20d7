"""What people give for requests and is something else: one sentence, which says what it is and what makes requests."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.requests.samples import PARAMS, jsonl, lines_of, prepared, refused, request


def workbook() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return out.getvalue()


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as files:
        files.writestr("requests.jsonl", jsonl(request("a")))
    return out.getvalue()


LINES = jsonl(request("a"), request("b"))
FILES: dict[str, tuple[bytes, str, str]] = {
    "gzip": (gzip.compress(LINES), "compressed (gzip)", "gunzip -k "),
    "zstd": (b"\x28\xb5\x2f\xfd" + b"\x00" * 20, "compressed (zstd)", "zstd -d "),
    "bzip2": (bz2.compress(LINES), "compressed (bzip2)", "bunzip2 -k "),
    "xz": (lzma.compress(LINES), "compressed (xz)", "unxz -k "),
    "a workbook": (workbook(), "workbook", "save it as CSV UTF-8, and give a --template"),
    "an old workbook": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 20,
        "old Excel workbook",
        "save it as CSV UTF-8",
    ),
    "a zip archive": (archive(), "a zip archive", "unzip "),
    "parquet": (b"PAR1\x15\x04" + b"\x00" * 20, "a Parquet file", "pandas.read_parquet("),
    "sqlite": (b"SQLite format 3\x00" + b"\x00" * 20, "an SQLite database", "sqlite3 -csv -header "),
    "UTF-16": (LINES.decode().encode("utf-16"), "UTF-16", "iconv -f UTF-16 -t UTF-8 "),
    "UTF-16 without a mark": (LINES.decode().encode("utf-16-le"), "UTF-16", "iconv -f UTF-16LE -t UTF-8 "),
    "UTF-16 the other way": (LINES.decode().encode("utf-16-be"), "UTF-16", "iconv -f UTF-16BE -t UTF-8 "),
    "UTF-32": (LINES.decode().encode("utf-32"), "UTF-32", "iconv -f UTF-32 -t UTF-8 "),
    "NUL bytes": (LINES + b"\x00" * 100, "NUL bytes", "tr -d '\\000' < "),
    "a web page": (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "a web page", "name a file of requests"),
    "XML": (b"<?xml version='1.0'?><requests/>", "a web page or XML", "name a file of requests"),
    "a pointer of LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS", "git lfs pull"),
    "a pickle": (b"\x80\x04\x95\x10\x00", "a Python pickle", "json.dumps"),
    "a PDF": (b"%PDF-1.7\n", "a PDF", "base64"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("template", [False, True])
def test_a_file_that_holds_no_requests_is_named_in_one_sentence(tmp_path: Path, name: str, template: bool) -> None:
    content, what, remedy = FILES[name]
    file = tmp_path / "my file"
    file.write_bytes(content)
    params = tmp_path / "params.json"
    params.write_text(json.dumps(PARAMS))
    [sentence] = refused(tmp_path, file, template=params if template else None)
    assert sentence.startswith(f"{file}: ")
    assert what in sentence
    assert remedy in sentence
    assert f"my file' > {remedy}" not in sentence
    if remedy.endswith(" "):
        assert f"{remedy}'{file}'" in sentence, "the command can be pasted"


def openai(n: int) -> dict[str, Any]:
    return {"custom_id": f"q-{n}", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}


def bedrock(n: int) -> dict[str, Any]:
    return {"recordId": f"q-{n}", "modelInput": {"anthropic_version": "x", "max_tokens": 9, "messages": []}}


def test_each_form_of_other_providers_is_told_once_with_what_to_rename(tmp_path: Path) -> None:
    lines = jsonl(*map(openai, range(100)), *map(bedrock, range(100)), request("mine"))
    first, second = refused(tmp_path, lines)
    assert first.startswith("stdin, line 1: this looks like a line of OpenAI's Batch API")
    assert "rename body to params" in first
    assert second.startswith("stdin, line 101: this looks like a line of Amazon Bedrock's")
    assert "rename recordId to custom_id and modelInput to params" in second


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ({"request": {"contents": []}}, "Google's batch prediction: rename request to params"),
        ({"custom_id": "a", "result": {"type": "expired"}}, "a record of results, not a request"),
        ({"cells": [], "nbformat": 4, "metadata": {}}, "a Jupyter notebook"),
        ({"id": 7, "title": "x", "content": "y"}, "looks like data ('id', 'title', 'content'), not like a request"),
        (
            {"name": "set", "articles": [{"id": 1}]},
            "one object with an array in it: take that out: jq '.[\"articles\"]'",
        ),
        ({"type": "message_batch", "id": "msgbatch_1"}, "an answer of the API, not a request"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_other_objects_are_named_too(tmp_path: Path, line: Any, sentence: str, indent: int | None) -> None:
    [told] = refused(tmp_path, json.dumps(line, indent=indent).encode())
    assert sentence in told


def test_a_key_in_another_spelling_is_named_with_the_right_one(tmp_path: Path) -> None:
    told = refused(tmp_path, jsonl({"customId": "a", "params": {**PARAMS, "maxTokens": 5}}))
    assert "'customId' does not belong in a request, which has custom_id and params only; is it custom_id?" in told[0]
    camel = {name: value for name, value in PARAMS.items() if name != "max_tokens"} | {"maxTokens": 5}
    assert refused(tmp_path, jsonl({"custom_id": "a", "params": camel})) == [
        "stdin, line 1: params.max_tokens is missing; is it 'maxTokens'?"
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (jsonl(request("a")).strip() + b",\n" + jsonl(request("b")), "between lines stands no comma: remove it (sed "),
        (b"// my requests\n" + jsonl(request("a")), "JSON has no comments: remove them"),
        (b"# my requests\n" + jsonl(request("a")), "JSON has no comments: remove them"),
        (jsonl(request("a")).strip() + b" // the first\n", "JSON has no comments: remove them"),
        (b"{'custom_id': 'a', 'params': {}}", "it looks like Python: write it with json.dumps"),
        (b'{"custom_id": "a", "params": {"stream": False}}', "it looks like Python: write it with json.dumps"),
        (b'{"custom_id": "a", "params": {"max_tokens": NaN}}', "JSON has no such number: write null"),
        (b'{"custom_id": "a", "params": {"max_tokens": 5,}}', "no comma before a closing brace or bracket: remove it"),
    ],
)
def test_json_as_other_languages_write_it_is_told_with_the_remedy(tmp_path: Path, text: bytes, hint: str) -> None:
    [told] = refused(tmp_path, text)
    assert told.startswith("stdin, line 1: this is no JSON: ")
    assert hint in told


def test_windows_text_is_told_with_the_command(tmp_path: Path) -> None:
    [told] = refused(tmp_path, json.dumps(request("a", system="caf?")).encode().replace(b"?", b"\xe9"))
    assert told.startswith("stdin, line 1: this is no UTF-8: byte 0xe9 at position ")
    assert "iconv -f WINDOWS-1252 -t UTF-8" in told


def test_marks_of_byte_order_do_no_harm_wherever_files_were_put_together(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    spool = prepared(tmp_path, mark + mark + jsonl(request("a")) + mark + jsonl(request("b")))
    assert [one["custom_id"] for one in lines_of(spool)] == ["a", "b"]


def test_the_apostrophe_of_a_spreadsheet_is_named(tmp_path: Path) -> None:
    [told] = refused(tmp_path, jsonl(request("'001")))
    assert told.endswith("the apostrophe is a spreadsheet's mark of text: remove it")


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        (b"id, item \n1,x\n", "; ' item ' has white space around it: take it out of the header"),
        (b"id,Item\n1,x\n", "; 'Item' is written otherwise than 'item': the two must be alike"),
        (b"id,itme\n1,x\n", "; is it 'itme'?"),
        (b"sep=;\nid;item\n1;x\n", "; the first line is for spreadsheets only, and columns are separated by commas: "),
        (b"id\titem\n1\tx\n", 'delimiter="\\t"'),
        (b"id|item\n1|x\n", 'delimiter="|"'),
    ],
)
def test_a_header_that_does_not_fit_is_told_with_the_cause(tmp_path: Path, header: bytes, hint: str) -> None:
    template = tmp_path / "params.json"
    template.write_text(json.dumps({**PARAMS, "system": "{item}"}))
    [told] = refused(tmp_path, header, template=template)
    assert hint in told


def test_the_command_that_makes_commas_of_semicolons_works(tmp_path: Path) -> None:
    import subprocess

    template = tmp_path / "params.json"
    template.write_text(json.dumps({**PARAMS, "system": "{item}"}))
    (tmp_path / "old.csv").write_text('sep=;\nid;item\n1;"a;b"\n')
    [told] = refused(tmp_path, (tmp_path / "old.csv").read_bytes(), template=template)
    command = told[told.index("python3 -c") :]
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    spool = prepared(tmp_path, tmp_path / "new.csv", template=template)
    assert [one["params"]["system"] for one in lines_of(spool)] == ["a;b"]
