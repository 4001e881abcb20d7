from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from streamer.answers.asked import Asked, asked_in_files, asked_in_spool
from streamer.errors import ConfigurationError
from tests.answers.made import request, results


def asked(folder: Path, *files: Any, **options: Any) -> list[Asked]:
    return list(asked_in_files(files, scratch=folder, on_problem=lambda problem: None, **options))


def test_a_spool_and_its_columns(tmp_path: Path) -> None:
    spool = results(tmp_path / "requests.jsonl", request("a"), request("b"))
    columns = results(tmp_path / "fields.jsonl", b'{"n":"1"}', b'{"n":"2"}')
    assert list(asked_in_spool(spool)) == [Asked("a", request("a")), Asked("b", request("b"))]
    assert [one.columns for one in asked_in_spool(spool, columns)] == [b'{"n":"1"}\n', b'{"n":"2"}\n']
    with pytest.raises(ConfigurationError, match="cannot be read"):
        list(asked_in_spool(tmp_path / "nothing"))


def test_request_files_of_every_form_give_the_ids_they_were_sent_with(tmp_path: Path) -> None:
    lines = results(tmp_path / "1.jsonl", request("a"), request("b"))
    body = tmp_path / "2.json"
    body.write_text(json.dumps({"requests": [json.loads(request("c"))]}, indent=2))
    bare = io.BytesIO(b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}\n')
    found = asked(tmp_path, lines, body, bare, id_prefix="mine-")
    assert [one.custom_id for one in found] == ["a", "b", "c", "mine-4"]
    assert all(b"\n" not in one.line for one in found)
    assert json.loads(found[2].line) == json.loads(request("c"))
    assert json.loads(found[3].line)["params"]["model"] == "m"


def test_csv_gives_its_records_too(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"model":"m","messages":[{"role":"user","content":"{title}"}]}')
    (tmp_path / "a.csv").write_text("custom_id,title\nx,One\n")
    [one] = asked(tmp_path, tmp_path / "a.csv", template=tmp_path / "t.json")
    assert (one.custom_id, json.loads(one.columns or b"")) == ("x", {"custom_id": "x", "title": "One"})


def test_a_request_that_the_api_has_refused_has_an_answer_too(tmp_path: Path) -> None:
    lines = results(tmp_path / "1.jsonl", b'{"custom_id":"a","params":{"stream":true,"temperature":NaN}}')
    assert [one.custom_id for one in asked(tmp_path, lines)] == ["a"]


def test_what_has_no_custom_id_is_told_with_its_line(tmp_path: Path) -> None:
    lines = results(tmp_path / "1.jsonl", request("a"), b'{"params":{}}')
    with pytest.raises(ConfigurationError, match=r"1\.jsonl, line 2: this is no request with a custom_id"):
        asked(tmp_path, lines)


def test_ids_that_stand_for_two_requests_are_refused(tmp_path: Path) -> None:
    one, two = (results(tmp_path / f"{n}.jsonl", request("a"), request(f"b{n}")) for n in (1, 2))
    with pytest.raises(ConfigurationError, match=r"used more than once in .*1\.jsonl, .*2\.jsonl \(1 of them\)"):
        asked(tmp_path, one, two)
