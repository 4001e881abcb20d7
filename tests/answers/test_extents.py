from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.answers.extents import read_extents
from streamer.errors import ConfigurationError
from streamer.results.framing import MAX_RECORD_BYTES
from tests.answers.made import record, results

SEPARATORS = (b"\n", b"\r\n", b"\n\n", b" \n\t", b"")


def cut_out(path: Path, **options: bool) -> list[bytes]:
    """The records, read from the places they are said to be at."""
    body = path.read_bytes()
    return [
        body[offset : offset + length]
        for extents in read_extents(path, **options)
        for offset, length in zip(extents.offsets, extents.lengths, strict=True)
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(max_size=20), min_size=1, max_size=12),
    data=st.data(),
    bom=st.booleans(),
)
def test_every_record_is_where_it_is_said_to_be_whatever_lies_between(
    texts: list[str], data: st.DataObject, bom: bool, tmp_path: Path
) -> None:
    records = [record(f"a-{n}", "succeeded", text) for n, text in enumerate(texts)]
    between = [data.draw(st.sampled_from(SEPARATORS)) for _ in records]
    body = b"".join(part for pair in zip(records, between, strict=True) for part in pair)
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" * bom + body)
    assert cut_out(path) == records


def test_a_file_of_many_chunks(tmp_path: Path) -> None:
    records = [record(f"a-{n}", "succeeded", "x" * (n % 700)) for n in range(3_000)]
    assert cut_out(results(tmp_path / "results.jsonl", *records)) == records


def test_a_record_too_long_to_be_held(tmp_path: Path) -> None:
    records = [record("a"), record("b", "succeeded", "y" * (MAX_RECORD_BYTES + 5)), record("c", "expired")]
    path = results(tmp_path / "results.jsonl", *records)
    assert cut_out(path) == records
    assert [custom_id for extents in read_extents(path) for custom_id in extents.ids] == ["a", "b", "c"]


def test_the_error_of_each_is_known(tmp_path: Path) -> None:
    path = results(
        tmp_path / "results.jsonl",
        record("a", "expired"),
        record("b", "overloaded_error"),
        record("c", "invalid_request_error", "Your credit balance is too low to access the API."),
        json.dumps({"custom_id": "d", "result": {"type": "errored"}}).encode(),
    )
    [extents] = [extents for extents in read_extents(path) if extents.ids]
    assert extents.errors == ["", "overloaded_error", "billing_error", ""]


def test_something_else_than_records_is_refused_with_its_place(tmp_path: Path) -> None:
    path = results(tmp_path / "requests.jsonl", record("a"), b'{"custom_id":"b","params":{}}')
    offset = len(record("a")) + 1
    with pytest.raises(ConfigurationError, match=f"requests.jsonl holds something else .* at byte {offset:,}"):
        cut_out(path)


def test_a_growing_file_may_end_anywhere_but_not_a_final_one(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl.part"
    path.write_bytes(record("a") + b"\n" + record("b")[:-9])
    assert cut_out(path, growing=True) == [record("a")]
    with pytest.raises(ConfigurationError, match="something else"):
        cut_out(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.jsonl cannot be read: No such file"):
        list(read_extents(tmp_path / "nothing.jsonl"))
