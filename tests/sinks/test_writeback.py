"""What the writers of a file sink take is written together, and each of them hears of its own file only."""

from __future__ import annotations

import asyncio
import os
import resource
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.disk import growingfile
from streamer.disk.growingfile import left
from streamer.errors import StorageError
from streamer.results.block import Block
from streamer.sinks.conformance import deliver, make_batch, make_block, make_record, make_records, no_leftovers
from streamer.sinks.file import FileSink, FileWriter
from streamer.sinks.partfile import PartFile
from streamer.sinks.writeback import TOGETHER, Waiting

NAMES = ("a", "b", "c", "d", "e")
SHARE = TOGETHER // 4  # of what is written together


def big_block(name: str, size: int = SHARE) -> Block:
    """One record, a little more than `size` bytes."""
    return make_block(name, [make_record(f"{name}-{size}", "succeeded", "x" * size)])


@asynccontextmanager
async def writing(directory: Path) -> AsyncIterator[list[FileWriter]]:
    """Five writers of one sink; afterwards nothing is running or open."""
    async with no_leftovers():
        sink = FileSink(directory / "{batch_id}.jsonl")
        writers = [await sink.open(make_batch(name)) for name in NAMES]
        try:
            yield writers
        finally:
            for writer in writers:
                await writer.close()
            await sink.close()


class Gate:
    """Holds up every write to a file until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def writev(self, descriptor: int, pieces: Sequence[bytes]) -> int:
        self.reached.set()
        assert self.opened.wait(10)
        return os.writev(descriptor, pieces)


class Shim:
    """The module `os`, with another writev."""

    def __init__(self, writev: object) -> None:
        self.writev = writev

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(growingfile, "os", Shim(gate.writev))
    yield gate
    gate.opened.set()


async def held_up(gate: Gate) -> None:
    while not gate.reached.is_set():  # noqa: ASYNC110 - it is set by a thread
        await asyncio.sleep(0.001)


async def many_turns() -> None:
    """Long enough for whatever can happen without a thread."""
    for _ in range(100):
        await asyncio.sleep(0)


@contextmanager
def longest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 3), st.binary(max_size=9)))))
def test_what_waits_comes_out_once_and_in_order(steps: list[tuple[int, bytes] | None]) -> None:
    waiting = Waiting()
    files = [PartFile(Path(str(number))) for number in range(4)]
    given_to, written = defaultdict[PartFile, bytes](bytes), defaultdict[PartFile, bytes](bytes)
    for step in steps:
        if step is None:
            for file, pieces in waiting.take_all().items():
                written[file] += b"".join(pieces)
            assert all(written[file] == given_to[file] for file in files)
            assert not any(file in waiting for file in files)
        else:
            number, data = step
            waiting.add(files[number], data)
            given_to[files[number]] += data
            assert files[number] in waiting
        assert waiting.size == sum(len(given_to[file]) - len(written[file]) for file in files)


@given(st.lists(st.binary(max_size=5), max_size=8), st.integers(0, 40))
def test_what_is_left_when_the_system_took_a_part(pieces: list[bytes], written: int) -> None:
    assert b"".join(left(pieces, written)) == b"".join(pieces)[written:]


async def test_writes_that_the_system_cuts_short_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More pieces than it takes at once, and of those a part."""
    calls = []

    def writev(descriptor: int, pieces: Sequence[bytes]) -> int:
        calls.append(len(pieces))
        whole = b"".join(pieces)
        return os.write(descriptor, whole[: len(whole) // 2 + 1])

    monkeypatch.setattr(growingfile, "os", Shim(writev))
    records = make_records("a", 3000)
    async with writing(tmp_path) as [writer, *_]:
        for raw in records.values():
            await writer.write(make_block("a", [raw]))
        await writer.commit()
    assert (tmp_path / "a.jsonl").read_bytes() == b"".join(raw + b"\n" for raw in records.values())
    assert max(calls) == growingfile.MOST_PIECES < 3000


async def test_nothing_is_written_before_enough_waits_and_then_everything(tmp_path: Path) -> None:
    async with writing(tmp_path) as writers:
        blocks = [big_block(name) for name in NAMES[:4]]
        for number, (writer, block) in enumerate(zip(writers, blocks, strict=False)):
            assert [path.stat().st_size for path in sorted(tmp_path.iterdir())] == [0] * 5, number
            await writer.write(block)
        await writers[3].close()  # whose bytes are among them
        assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [*(block.data for block in blocks), b""]


@pytest.mark.parametrize("told", ["write", "write_part", "commit", "close"])
async def test_one_file_of_several_fails(tmp_path: Path, told: str) -> None:
    limit = 3 * SHARE // 2
    failing, *others = map(big_block, NAMES)
    async with writing(tmp_path) as [writer, *rest]:
        with longest_file(limit):
            await writer.write(failing)
            await writer.write(big_block("a", SHARE + 1))  # now it is too long, but nothing is written yet
            for other, block in zip(rest, others, strict=True):
                await other.write(block)  # in the middle of this, everything begins to be
            await rest[0].commit()  # which comes after it
        message = r"EFBIG.*what is already written is kept"
        with pytest.raises(StorageError, match=message):
            match told:
                case "write":
                    await writer.write(failing)
                case "write_part":
                    await writer.write_part(b"{")
                case "commit":
                    await writer.commit()
                case _:
                    await writer.close()
        with pytest.raises(StorageError, match="takes nothing more"):
            await writer.write(failing)
        with pytest.raises(StorageError, match="cannot be made final"):
            await writer.commit()
        for other in rest:
            await other.commit()
    assert [(tmp_path / f"{name}.jsonl").read_bytes() for name in NAMES[1:]] == [block.data for block in others]
    assert (tmp_path / "a.jsonl.part").stat().st_size == limit
    sink = FileSink(tmp_path / "{batch_id}.jsonl")
    held = await deliver(sink, "a", {}, commit=False)
    await sink.close()
    assert list(held) == failing.ids  # the torn record behind it is cut off


def test_behind_a_torn_record_nothing_more_is_written(tmp_path: Path) -> None:
    """It would be in the middle of the file, and the next run could not cut it off."""
    part = PartFile(tmp_path / "a.jsonl")
    part.open()
    with longest_file(100):
        part.write([b"x" * 150])
    part.write([b"more\n"])
    part.truncate(0)
    part.close()
    assert part.failure is not None
    assert part.part.stat().st_size == 100


async def test_cancelled_while_all_is_written_nothing_is_lost_or_doubled(tmp_path: Path, gate: Gate) -> None:
    blocks = list(map(big_block, NAMES))
    more = [big_block(name, SHARE + 1) for name in NAMES]
    async with writing(tmp_path) as writers:
        for writer, block in zip(writers[:4], blocks[:4], strict=True):
            await writer.write(block)
        await held_up(gate)
        for writer, block in zip(writers[:3], more[:3], strict=True):
            await writer.write(block)  # goes on waiting beside what is being written
        waits = [asyncio.create_task(writer.write(more[number])) for number, writer in enumerate(writers) if number > 2]
        await many_turns()
        waits[0].cancel()
        await many_turns()
        assert [task.done() for task in waits] == [True, False]
        assert waits[0].cancelled()
        gate.opened.set()
        await waits[1]
        for writer in writers:
            await writer.commit()
    for name, first, second in zip(NAMES[:4], blocks, more, strict=False):
        assert (tmp_path / f"{name}.jsonl").read_bytes() == first.data + second.data
    assert (tmp_path / f"{NAMES[4]}.jsonl").read_bytes() == more[4].data


@pytest.mark.parametrize("how", ["commit", "close"])
async def test_a_writer_ends_while_its_bytes_are_being_written(tmp_path: Path, gate: Gate, how: str) -> None:
    blocks = list(map(big_block, NAMES))
    last = make_block("a", [make_record("a-last", "succeeded", "x")])
    async with writing(tmp_path) as writers:
        for writer, block in zip(writers[:3], blocks[:3], strict=True):
            await writer.write(block)
        await writers[3].write(blocks[3])
        await held_up(gate)
        await writers[0].write(last)
        ends = asyncio.create_task(writers[0].commit() if how == "commit" else writers[0].close())
        await many_turns()
        if how == "close":  # nobody may close a file that a thread is writing to
            ends.cancel()
            await many_turns()
        assert not ends.done()
        gate.opened.set()
        await asyncio.wait([ends])
        assert ends.cancelled() is (how == "close")
    [path] = tmp_path.glob("a.jsonl*")
    assert path.name == ("a.jsonl" if how == "commit" else "a.jsonl.part")
    assert path.read_bytes() == blocks[0].data + last.data


async def test_what_waits_is_bounded(tmp_path: Path, gate: Gate) -> None:
    """However many write and however slow the disk is: one share is written, one waits, and each has one block more."""
    size = 100_000
    taken: dict[str, list[bytes]] = {name: [] for name in NAMES}

    async def write(name: str, writer: FileWriter) -> None:
        for number in range(200):
            block = make_block(name, [make_record(f"{name}-{number}", "succeeded", "x" * size)])
            taken[name].append(block.data)
            await writer.write(block)
        await writer.commit()

    async with writing(tmp_path) as writers, asyncio.TaskGroup() as group:
        for name, writer in zip(NAMES, writers, strict=True):
            group.create_task(write(name, writer))
        await held_up(gate)
        for _ in range(10):
            await many_turns()
        held = sum(len(data) for blocks in taken.values() for data in blocks)
        gate.opened.set()
    assert 2 * TOGETHER <= held <= 2 * TOGETHER + (len(NAMES) + 1) * (size + 200)
    for name, blocks in taken.items():
        assert len(blocks) == 200
        assert (tmp_path / f"{name}.jsonl").read_bytes() == b"".join(blocks)


async def test_a_file_is_opened_while_another_is_held_up(tmp_path: Path, gate: Gate) -> None:
    async with no_leftovers():
        sink = FileSink(tmp_path / "{batch_id}.jsonl")
        first = await sink.open(make_batch("a"))
        await first.write(big_block("a", TOGETHER))
        await held_up(gate)
        second = await sink.open(make_batch("b"))
        gate.opened.set()
        await first.close()
        await second.close()
        await sink.close()


async def test_what_goes_wrong_beside_the_files_is_told_to_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what was written, so nothing more is, until the sink is opened again."""

    def writev(descriptor: int, pieces: Sequence[bytes]) -> int:
        raise MemoryError

    blocks = list(map(big_block, NAMES[:2]))
    async with no_leftovers():
        sink = FileSink(tmp_path / "{batch_id}.jsonl")
        writers = [await sink.open(make_batch(name)) for name in NAMES[:2]]
        with monkeypatch.context() as patch:
            patch.setattr(growingfile, "os", Shim(writev))
            for writer, block in zip(writers, blocks, strict=True):
                await writer.write(block)
            with pytest.raises(MemoryError):
                await writers[0].commit()
        for writer in writers:
            with pytest.raises(MemoryError):
                await writer.close()
        await sink.close()
        for name, block in zip(NAMES[:2], blocks, strict=True):
            await deliver(sink, name, dict(zip(block.ids, [block.data[:-1]], strict=True)))
        await sink.close()
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [block.data for block in blocks]


async def test_no_thread_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that waits is lost to its files, each of which says so, and none gets what comes behind it."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("streamer-write"):
            raise RuntimeError("can't start new thread")
        start(thread)

    async with writing(tmp_path) as [first, second, third, *_]:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            await second.write(big_block("b", 100))
            with pytest.raises(StorageError, match=r"can.t start new thread.*run the same again"):
                await first.write(big_block("a", TOGETHER))
        block = big_block("c", TOGETHER)
        await third.write(block)
        with pytest.raises(StorageError, match=r"can.t start new thread.*run the same again"):
            await second.commit()
        await third.commit()
    assert (tmp_path / "c.jsonl").read_bytes() == block.data
    assert [(tmp_path / f"{name}.jsonl.part").stat().st_size for name in "ab"] == [0, 0]
