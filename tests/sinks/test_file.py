from __future__ import annotations

import asyncio
import os
import stat
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.api.types import Batch
from streamer.errors import StorageError
from streamer.results.block import read_lines
from streamer.results.framing import MAX_RECORD_BYTES, Lines
from streamer.sinks.conformance import (
    count_descriptors,
    deliver,
    make_batch,
    make_block,
    make_record,
    make_records,
    no_leftovers,
    opened,
)
from streamer.sinks.file import THREADS, FileSink
from streamer.sources.resultfile import read_records

ID = "msgbatch_1"


def as_lines(records: dict[str, bytes]) -> bytes:
    return b"".join(record + b"\n" for record in records.values())


def sink_in(directory: Path) -> FileSink:
    return FileSink(directory / "{batch_id}.jsonl")


async def run(directory: Path, records: dict[str, bytes], *, commit: bool = True) -> dict[str, str]:
    sink = sink_in(directory)
    try:
        return await deliver(sink, ID, records, commit=commit)
    finally:
        await sink.close()


async def test_the_file_is_the_records_and_a_newline_after_each(tmp_path: Path) -> None:
    records = make_records(ID, 30)
    await run(tmp_path, records)
    assert (tmp_path / f"{ID}.jsonl").read_bytes() == as_lines(records)
    assert os.listdir(tmp_path) == [f"{ID}.jsonl"]  # noqa: PTH208 - the .part is gone


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_a_file_cut_anywhere_is_taken_up_after_its_last_whole_record(data: st.DataObject, tmp_path: Path) -> None:
    records = make_records(ID, 12)
    whole = as_lines(records)
    cut = data.draw(st.integers(0, len(whole)))
    tmp_path.joinpath(f"{ID}.jsonl").unlink(missing_ok=True)
    tmp_path.joinpath(f"{ID}.jsonl.part").write_bytes(whole[:cut])
    held = await run(tmp_path, records)
    assert list(held) == list(records)[: whole[:cut].count(b"\n")]
    assert tmp_path.joinpath(f"{ID}.jsonl").read_bytes() == whole


async def test_a_torn_tail_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    records = make_records(ID, 3)
    (tmp_path / f"{ID}.jsonl.part").write_bytes(as_lines(records) + b'{"custom_id":"' + b"x" * 3_000_000)
    held = await run(tmp_path, records, commit=False)
    assert list(held) == list(records)
    assert (tmp_path / f"{ID}.jsonl.part").read_bytes() == as_lines(records)


async def test_a_record_that_is_there_twice_is_held_once(tmp_path: Path) -> None:
    records = make_records(ID, 4)
    (tmp_path / f"{ID}.jsonl.part").write_bytes(as_lines(records) * 2)
    held = await run(tmp_path, records)
    assert list(held) == list(records)
    assert (tmp_path / f"{ID}.jsonl").read_bytes() == as_lines(records) * 2


async def test_a_final_file_without_its_last_newline_is_read_whole_and_left_alone(tmp_path: Path) -> None:
    records = make_records(ID, 4)
    path = tmp_path / f"{ID}.jsonl"
    path.write_bytes(as_lines(records).rstrip(b"\n"))
    before = path.stat()
    assert list(await run(tmp_path, records)) == list(records)
    assert path.stat() == before


def test_a_file_is_read_back_in_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    block = as_lines(make_records(ID, 200, filler=20_000))
    with path.open("wb") as file:
        for _ in range(8):
            file.write(block)
    with path.open("rb") as file:
        tracemalloc.start()
        count = sum(len(records.ids) for records in read_records(file.fileno(), 8 * len(block)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert count == 1600
    assert peak < 3_000_000 < 8 * len(block)


async def test_files_and_directories_are_for_their_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        await run(tmp_path / "a" / "b", make_records(ID, 1))
        await run(tmp_path / "c", make_records(ID, 1), commit=False)
    finally:
        os.umask(old)
    assert modes_below(tmp_path) == {
        "a": 0o700,
        "b": 0o700,
        "c": 0o700,
        f"{ID}.jsonl": 0o600,
        f"{ID}.jsonl.part": 0o600,
    }


async def test_a_record_too_long_to_be_held_is_read_back(tmp_path: Path) -> None:
    records = make_records(ID, 3)
    records[f"{ID}-long"] = make_record(f"{ID}-long", "succeeded", "x" * MAX_RECORD_BYTES)
    path = tmp_path / f"{ID}.jsonl.part"
    path.write_bytes(as_lines(records))
    held = await run(tmp_path, {}, commit=False)
    assert list(held.items())[-1] == (f"{ID}-long", "succeeded")
    assert len(held) == 4
    with path.open("ab") as file:
        file.write(b'{"custom_id":"' + b"x" * MAX_RECORD_BYTES + b'"}\n')
    with pytest.raises(StorageError, match=f"something else than records at byte {len(as_lines(records)):,} "):
        await run(tmp_path, {}, commit=False)


def modes_below(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.rglob("*")}


async def test_a_hundred_writers_share_a_few_threads(tmp_path: Path) -> None:
    async with no_leftovers():
        sink = sink_in(tmp_path)
        writers = [await sink.open(make_batch(f"b{n}")) for n in range(100)]
        blocks = [make_block(f"b{n}", make_records(f"b{n}", 3).values()) for n in range(100)]
        before = threading.active_count()
        await asyncio.gather(*(writer.write(block) for writer, block in zip(writers, blocks, strict=True)))
        await asyncio.gather(*(writer.commit() for writer in writers))
        assert threading.active_count() <= before + THREADS + 1
        await asyncio.gather(*(writer.close() for writer in writers))
        await sink.close()
    assert [(tmp_path / f"b{n}.jsonl").read_bytes() for n in range(100)] == [block.data for block in blocks]


async def test_nothing_is_written_after_a_cancelled_writer_is_closed(tmp_path: Path) -> None:
    records = [make_record(f"{ID}-{n}", "succeeded", "x" * 1_000_000) for n in range(60)]
    path = tmp_path / f"{ID}.jsonl.part"
    descriptors = count_descriptors()
    sink = sink_in(tmp_path)
    writer = await sink.open(make_batch(ID))
    await writer.write(make_block(ID, records[:50]))  # which a thread begins to write
    task = asyncio.create_task(writer.write(make_block(ID, records[50:])))
    while not path.stat().st_size:  # noqa: ASYNC110 - only the file tells that the thread is at it
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await writer.close()
    assert task.cancelled()
    assert count_descriptors() <= descriptors  # nobody can write into a file that nobody has open
    await sink.close()
    held = await run(tmp_path, {}, commit=False)
    assert len(held) == path.read_bytes().count(b"\n")


async def test_a_writer_says_what_it_does(tmp_path: Path) -> None:
    path = tmp_path / f"{ID}.jsonl"
    async with opened(sink_in(tmp_path), ID) as writer:
        assert writer.destination == str(path)
        assert repr(writer) == f"<FileWriter {path}, growing, 0 bytes>"
        await writer.commit()
        assert repr(writer) == f"<FileWriter {path}, committed, 0 bytes>"
    assert repr(sink_in(Path("x"))) == "FileSink('x/{batch_id}.jsonl')"


async def test_a_file_that_somebody_else_wrote_to_is_not_made_final(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "{batch_id}.jsonl")
    writer = await sink.open(Batch(id="msgbatch_1", processing_status="ended"))
    block, _ = read_lines("msgbatch_1", Lines(0, b'{"custom_id":"a","result":{"type":"expired"}}\n'))
    assert block is not None
    await writer.write(block)
    with (tmp_path / "msgbatch_1.jsonl.part").open("ab") as other:
        other.write(b"{}\n")
    with pytest.raises(StorageError, match=r"has 49 bytes where 46 were written"):
        await writer.commit()
    await writer.close()
    await sink.close()
    assert not (tmp_path / "msgbatch_1.jsonl").exists()
