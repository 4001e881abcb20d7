"""A file of results: lines or one array, read with memory that no size of it changes, and refused with a place."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.errors import ConfigurationError
from streamer.results.framing import MAX_RECORD_BYTES
from streamer.results.reader import LongPart
from streamer.sources.resultfile import BrokenFileError, FileReader, opened, read_records
from tests.answers.made import record

RECORDS = [record("a", "succeeded", 'one ] }, { \\ " \ud83d'), record("b", "expired"), record("c", "api_error", "oh")]


def found(path: Path) -> Iterator[tuple[str, int]]:
    with opened(path) as (descriptor, size):
        for records in read_records(descriptor, size, FileReader(locate=True, arrays=True)):
            offsets = [records.offset] if isinstance(records, LongPart) else records.offsets or []
            yield from zip(records.ids, offsets, strict=True)


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_an_array_gives_the_records_in_their_places(tmp_path: Path, indent: int | str | None) -> None:
    text = json.dumps([json.loads(one) for one in RECORDS], indent=indent)
    (tmp_path / "x.json").write_text(text)
    told = list(found(tmp_path / "x.json"))
    assert [custom_id for custom_id, _ in told] == ["a", "b", "c"]
    decoder = json.JSONDecoder()
    assert [decoder.raw_decode(text[at:])[0] for _, at in told] == [json.loads(one) for one in RECORDS]


def test_an_array_with_a_record_too_long_to_be_held_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.write(b'[\n{"custom_id":"a","result":{"type":"succeeded","message":{"content":"')
        for _ in range(2 * MAX_RECORD_BYTES // 100_000):
            file.write(b"x" * 100_000)
        file.write(b'"}}},\n' + record("b") + b"\n]\n")
    tracemalloc.start()
    told = list(found(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (one, at), (two, _) = told
    assert (one, two) == ("a", "b")
    assert at in (1, 2)  # white space before a long record is kept with it
    assert peak < MAX_RECORD_BYTES + 8_000_000  # a record of that length is held, and nothing besides


def test_a_large_array_is_read_in_constant_memory(tmp_path: Path) -> None:
    one = record("a", "succeeded", "word " * 4000)
    (tmp_path / "x.json").write_bytes(b"[" + b",\n".join([one] * 1000) + b"]")
    tracemalloc.start()
    count = sum(1 for _ in found(tmp_path / "x.json"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1000
    assert peak < 3_000_000 < 1000 * len(one)


@pytest.mark.parametrize(
    ("text", "offset", "reason"),
    [
        (b'[{"custom_id":"a","result":{"type":"x"}}', 40, "the array does not end"),
        (b'[{"custom_id":"a","result":{"type":"x"}},\n', 42, "the array does not end"),
        (b'[{"custom_id":"a","result":{"type":"x"}},{"cus', 41, "Unterminated"),
        (b"[1, 2]", 1, "."),
        (b'[{"custom_id":"a","result":{"type":"x"}}] tail', 42, "malformed|Expecting"),
        (b'[[{"custom_id":"a","result":{"type":"x"}}]]', 1, "array"),
        (b'{"custom_id":"a","result":{"type":"x"}}\n[]\n', 40, "array"),
    ],
)
def test_what_is_no_whole_array_of_records_is_told_with_its_place(
    tmp_path: Path, text: bytes, offset: int, reason: str
) -> None:
    (tmp_path / "x.json").write_bytes(text)
    with pytest.raises(BrokenFileError, match=reason) as raised:
        list(found(tmp_path / "x.json"))
    assert raised.value.offset == offset


def test_only_lines_are_taken_where_no_array_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"[" + record("a") + b"]")
    with path.open("rb") as file, pytest.raises(BrokenFileError):
        list(read_records(file.fileno(), path.stat().st_size))


def test_an_empty_array_and_an_empty_file_hold_no_record(tmp_path: Path) -> None:
    for text in (b"[]\n", b"", b" [\n]"):
        (tmp_path / "x").write_bytes(text)
        assert list(found(tmp_path / "x")) == []


def test_a_compressed_file_is_named_with_what_unpacks_it(tmp_path: Path) -> None:
    (tmp_path / "x y.jsonl.gz").write_bytes(gzip.compress(RECORDS[0]))
    with pytest.raises(
        ConfigurationError, match=r"x y\.jsonl\.gz is compressed with gzip.*`gzip -dk '.*x y\.jsonl\.gz'`"
    ):
        list(found(tmp_path / "x y.jsonl.gz"))
    (tmp_path / "x.zst").write_bytes(b"\x28\xb5\x2f\xfd\x00")
    with pytest.raises(ConfigurationError, match="compressed with zstd"):
        list(found(tmp_path / "x.zst"))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is no plain file"):
        list(found(tmp_path / "pipe"))
