from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random

import pytest

from streamer.answers.asked import Asked, asked_in_spool
from streamer.answers.fields import Fields
from streamer.answers.join import Joined, join
from streamer.answers.output import Output
from streamer.errors import ConfigurationError, InUseError, StorageError
from streamer.results.framing import MAX_RECORD_BYTES
from tests.answers.made import indexed, record, request, requests, results


def joined(
    folder: Path, ids: list[str], *lines: bytes, to: str = "answers.jsonl", fields: Fields | None = None
) -> Joined:
    path = results(folder / "results.jsonl", *lines)
    with indexed(folder, (path, 1)) as index, Output(str(folder / to)) as output:
        return join(requests(ids), index, output, fields=fields)


def test_answers_come_in_the_order_of_the_requests_byte_for_byte(tmp_path: Path) -> None:
    ids = [f"q-{n}" for n in range(500)]
    records = {custom_id: record(custom_id, "succeeded", f"to {custom_id}") for custom_id in ids}
    shuffled = list(records.values())
    Random(1).shuffle(shuffled)
    told = joined(tmp_path, ids, *shuffled)
    assert (tmp_path / "answers.jsonl").read_bytes() == b"".join(line + b"\n" for line in records.values())
    assert told == Joined(requests=500, types={"succeeded": 500}, words={"succeeded": 500})
    assert sorted(os.listdir(tmp_path)) == ["answers.jsonl", "results.jsonl"]  # noqa: PTH208


def test_a_name_that_ends_in_json_is_one_array(tmp_path: Path) -> None:
    joined(tmp_path, ["b", "a"], record("a"), record("b"), to="answers.json")
    found = json.loads((tmp_path / "answers.json").read_text())
    assert [answer["custom_id"] for answer in found] == ["b", "a"]
    joined(tmp_path, ["c"], record("a"), to="none.json")
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_what_is_missing_is_counted_and_named_and_so_is_what_nobody_asked_for(tmp_path: Path) -> None:
    told = joined(tmp_path, ["a", "b", "c"], record("b", "api_error"), record("x"), record("y"))
    assert told == Joined(
        requests=3,
        types={"errored": 1},
        words={"api_error": 1, "missing": 2},
        missing=2,
        missing_ids=["a", "c"],
        unknown=2,
    )
    assert (tmp_path / "answers.jsonl").read_bytes() == record("b", "api_error") + b"\n"


def test_fields_of_the_request_stand_beside_the_answer(tmp_path: Path) -> None:
    far = f"params.messages.{'9' * 5000}"  # more digits than Python makes a number of
    fields = Fields(["params.model", "params.messages.0.content", "params.system", "custom_id", far], None)
    joined(tmp_path, ["a"], record("a", "succeeded", "é\ud83d"), fields=fields)
    line = (tmp_path / "answers.jsonl").read_bytes()
    assert json.loads(line)["input"] == {
        "params.model": "claude-haiku-5-5",
        "params.messages.0.content": "about a",
        "params.system": None,
        "custom_id": "a",
        far: None,
    }
    # The rest is the record as it came, with nothing encoded anew.
    begin, _, rest = record("a", "succeeded", "é\ud83d").partition(b'"result"')
    assert line.startswith(begin + b'"input":{')
    assert line.endswith(b'},"result"' + rest + b"\n")


def test_fields_stand_beside_a_record_of_any_shape(tmp_path: Path) -> None:
    odd = b'{ "result": {"type": "expired", "more": NaN}, "custom_id": "a" }'
    joined(tmp_path, ["a"], odd, fields=Fields(["custom_id"], None))
    line = (tmp_path / "answers.jsonl").read_text()
    assert line == '{"input":{"custom_id":"a"},' + odd.decode()[1:] + "\n"
    assert list(json.loads(line)) == ["input", "result", "custom_id"]


def test_columns_of_the_csv_stand_beside_the_answer(tmp_path: Path) -> None:
    spool = results(tmp_path / "requests.jsonl", request("a"), request("b"))
    columns = results(tmp_path / "fields.jsonl", b'{"title":"One","n":"1"}', b'{"title":"Two","n":"2"}')
    path = results(tmp_path / "results.jsonl", record("b"), record("a"))
    fields = Fields(["title", "params.model"], next(asked_in_spool(spool, columns)))
    with indexed(tmp_path, (path, 1)) as index, Output(str(tmp_path / "answers.jsonl")) as output:
        join(asked_in_spool(spool, columns), index, output, fields=fields)
    found = [json.loads(line)["input"] for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert found == [
        {"title": "One", "params.model": "claude-haiku-5-5"},
        {"title": "Two", "params.model": "claude-haiku-5-5"},
    ]


def test_paths_into_data_of_json_stand_beside_the_answer_too() -> None:
    first = Asked("a", request("a"), b'{"author":{"name":"Ann","tags":["x"]},"a.b":1}')
    fields = Fields(["author.name", "author.tags.0", "a.b", "author.none"], first)
    assert json.loads(fields.of(first)) == {"author.name": "Ann", "author.tags.0": "x", "a.b": 1, "author.none": None}


def test_a_field_that_cannot_be_is_refused_with_those_that_can() -> None:
    first = Asked("a", request("a"), b'{"title":"One","n":"1"}')
    with pytest.raises(ConfigurationError, match=r"no field 'titel': name a column \(n, title\) or a path"):
        Fields(["titel"], first)
    with pytest.raises(ConfigurationError, match="no field 'title'"):
        Fields(["title"], None)


def test_a_record_too_long_to_be_held_is_joined_too(tmp_path: Path) -> None:
    long = b" " + record("b", "succeeded", "z" * (MAX_RECORD_BYTES + 1))
    joined(tmp_path, ["a", "b", "c"], record("c"), long, record("a"), fields=Fields(["custom_id"], None))
    found = (tmp_path / "answers.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["input"]["custom_id"] for line in found] == ["a", "b", "c"]
    assert found[1].replace(b'"input":{"custom_id":"b"},', b"") == long
    assert found[1].startswith(b' {"input":')


def test_a_target_that_cannot_be_written_is_told_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigurationError, match="is a directory; name a file in it"):
        Output(str(tmp_path / "folder"))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file where a directory should be"):
        Output(str(tmp_path / "file" / "answers.jsonl"))


def test_two_at_once_on_one_target_are_refused(tmp_path: Path) -> None:
    target = str(tmp_path / "answers.jsonl")
    with Output(target), pytest.raises(InUseError, match="is being written by another process"):
        Output(target)
    with Output(target):
        pass  # the first one has let go of it


def test_what_is_broken_off_leaves_the_file_of_before(tmp_path: Path) -> None:
    target = tmp_path / "answers.jsonl"
    target.write_text("before")
    with Output(str(target)) as output:
        output.begin()
        output.write(b"{}")
    assert target.read_text() == "before"
    assert os.listdir(tmp_path) == ["answers.jsonl"]  # noqa: PTH208


def test_what_a_killed_run_has_left_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl.part").write_bytes(b"half of an ans")
    joined(tmp_path, ["a"], record("a"))
    assert (tmp_path / "answers.jsonl").read_bytes() == record("a") + b"\n"


def test_standard_output(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = results(tmp_path / "results.jsonl", record("a"), record("b"))
    with indexed(tmp_path, (path, 1)) as index, Output("-") as output:
        join(requests(["b", "a"]), index, output)
    assert capfdbinary.readouterr().out == record("b") + b"\n" + record("a") + b"\n"


@pytest.mark.parametrize("to", ["answers.jsonl", "answers.json"])
def test_a_file_with_more_answers_is_never_replaced_by_one_that_lacks_some(tmp_path: Path, to: str) -> None:
    for lines in ([], [], [record("a")], [record("a")], [record("a"), record("b")]):  # more and more have come
        joined(tmp_path, ["a", "b"], *lines, to=to)
    whole = (tmp_path / to).read_bytes()
    with pytest.raises(StorageError, match="without an answer: 1, the first one 'b'"):
        joined(tmp_path, ["a", "b"], record("a"), to=to)
    assert (tmp_path / to).read_bytes() == whole
    assert joined(tmp_path, ["a"], record("a"), to=to).missing == 0  # of fewer requests, but of them all


def test_no_pipe_and_no_device_is_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is a pipe or a device"):
        Output(str(tmp_path / "pipe"))
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]
