"""Answers as text alone: what jq, awk and json.loads make of them, and what stands where an answer failed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from streamer.answers.fields import Fields
from streamer.answers.join import join
from streamer.answers.output import Output
from streamer.answers.text import TextForm, refuse_fields
from streamer.errors import ConfigurationError
from streamer.results.framing import MAX_RECORD_BYTES
from tests.answers.made import indexed, record, requests, results

IDS = ["a", "b", "c", "d"]
RECORDS = (
    record("c", "expired"),
    record("b", "api_error", "broke\nhere"),
    record("a", "succeeded", 'Straße\t"x"\n2\\n'),
)


def texts(folder: Path, to: str, *lines: bytes, fields: Fields | None = None) -> str:
    path = results(folder / "results.jsonl", *lines)
    with indexed(folder, (path, 1)) as index, Output(str(folder / to), keyed=True) as output:
        joined = join(requests(IDS), index, output, fields=fields, text=TextForm.of(to))
    assert joined.missing == len(IDS) - len(lines)
    return (folder / to).read_text()


def test_one_json_object_of_ids_and_texts(tmp_path: Path) -> None:
    written = texts(tmp_path, "texts.json", *RECORDS)
    assert json.loads(written) == {"a": 'Straße\t"x"\n2\\n', "b": None, "c": None}
    assert list(json.loads(written)) == ["a", "b", "c"], "in the order of the requests"
    assert written.startswith('{\n"a": "Straße'), "as people read it"


def test_an_object_without_answers_is_one(tmp_path: Path) -> None:
    assert json.loads(texts(tmp_path, "texts.json")) == {}


def test_lines_have_the_error_where_there_is_no_text(tmp_path: Path) -> None:
    assert [json.loads(line) for line in texts(tmp_path, "texts.jsonl", *RECORDS).splitlines()] == [
        {"custom_id": "a", "text": 'Straße\t"x"\n2\\n'},
        {"custom_id": "b", "text": None, "error": "api_error: broke\nhere"},
        {"custom_id": "c", "text": None, "error": "expired"},
    ]


def test_fields_of_the_request_stand_in_lines(tmp_path: Path) -> None:
    fields = Fields(["params.model"], None)
    first = json.loads(texts(tmp_path, "texts.jsonl", *RECORDS, fields=fields).splitlines()[0])
    assert first == {"custom_id": "a", "input": {"params.model": "claude-haiku-5-5"}, "text": 'Straße\t"x"\n2\\n'}


@pytest.mark.parametrize("to", ["texts.json", "texts.tsv"])
def test_fields_have_no_place_elsewhere(to: str) -> None:
    refuse_fields(to, [])
    with pytest.raises(
        ConfigurationError, match=r"no place beside the texts in texts\..*name a file that ends in .jsonl"
    ):
        refuse_fields(to, ["title"])


def test_columns_for_awk_have_one_line_each(tmp_path: Path) -> None:
    written = texts(tmp_path, "texts.tsv", *RECORDS)
    assert written.splitlines() == [
        'a\tStraße\\t"x"\\n2\\\\n',
        "b\t\tapi_error: broke\\nhere",
        "c\t\texpired",
    ]
    awk = subprocess.run(
        ["awk", "-F\t", '$3 != "" { print $1 ": " $3 }', "texts.tsv"], cwd=tmp_path, capture_output=True, check=True
    )
    assert awk.stdout.decode().splitlines() == ["b: api_error: broke\\nhere", "c: expired"]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not there")
def test_jq_makes_the_same_columns_of_the_lines(tmp_path: Path) -> None:
    texts(tmp_path, "texts.jsonl", *RECORDS)
    jq = subprocess.run(
        ["jq", "-r", '[.custom_id, .text // "", .error // empty] | @tsv', "texts.jsonl"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert jq.stdout == texts(tmp_path, "texts.tsv", *RECORDS)


def test_what_utf8_cannot_write_is_escaped(tmp_path: Path) -> None:
    for to in ("texts.json", "texts.jsonl", "texts.tsv"):
        assert "half \\ud83d" in texts(tmp_path, to, record("a", "succeeded", "half \ud83d"))


def test_a_record_too_long_to_be_streamed_as_it_is_has_its_text_too(tmp_path: Path) -> None:
    long = "z" * (MAX_RECORD_BYTES + 1)
    assert json.loads(texts(tmp_path, "texts.json", record("a", "succeeded", long))) == {"a": long}
