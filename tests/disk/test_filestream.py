"""A file as a stream: its bytes, and nothing left of it whenever its reader is cancelled."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import aclosing
from pathlib import Path
from random import Random

import pytest

from streamer.disk.filestream import PIECE, stream_file
from tests.leftovers import descriptors, nothing_left


async def read(file: Path | int, start: int = 0, end: int | None = None) -> list[bytes]:
    async with nothing_left(), aclosing(stream_file(file, start, end)) as pieces:
        return [piece async for piece in pieces]


async def test_the_bytes_of_a_file_from_and_to_anywhere(tmp_path: Path) -> None:
    data = Random(1).randbytes(3 * PIECE + 5)
    (tmp_path / "file").write_bytes(data)
    pieces = await read(tmp_path / "file")
    assert [len(piece) for piece in pieces] == [PIECE] * 3 + [5]
    assert b"".join(pieces) == data
    assert b"".join(await read(tmp_path / "file", 7, 2 * PIECE)) == data[7 : 2 * PIECE]
    assert b"".join(await read(tmp_path / "file", 9, 9)) == b""
    assert b"".join(await read(tmp_path / "file", PIECE, 9 * PIECE)) == data[PIECE:]


async def test_a_descriptor_stays_open_and_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"some bytes")
    with (tmp_path / "file").open("rb") as file:
        assert await read(file.fileno()) == await read(file.fileno()) == [b"some bytes"]
        assert file.read() == b""


async def test_a_file_that_is_not_there_leaves_nothing_either(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await read(tmp_path / "file")


async def hanging(pipe: Path) -> tuple[asyncio.Task[None], int]:
    """A reader that hangs in its second read, in its thread, until the descriptor is closed."""
    os.mkfifo(pipe)
    hangs = asyncio.Event()

    async def read() -> None:
        async with nothing_left(), aclosing(stream_file(pipe)) as pieces:
            async for _ in pieces:
                hangs.set()

    reading = asyncio.create_task(read())
    writer = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
    os.write(writer, b"first")
    await hangs.wait()
    return reading, writer


async def turns() -> None:
    """Let the loop have more turns than anything here needs."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("cancels", [1, 3])
async def test_a_read_that_is_cancelled_is_waited_for_and_only_then_the_file_is_closed(
    tmp_path: Path, cancels: int
) -> None:
    before = descriptors()
    reading, writer = await hanging(tmp_path / "pipe")
    for _ in range(cancels):
        reading.cancel()
        await turns()
        assert not reading.done()
        assert len([one for one in descriptors() - before if one.endswith("/pipe")]) == 2  # its own, and the writer's
    os.close(writer)
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert descriptors() - before == set()


async def test_a_file_that_is_being_opened_when_its_reader_is_cancelled_is_closed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = descriptors()
    reading = asyncio.create_task(read(tmp_path / "pipe"))  # to open it, it waits for somebody who writes
    await turns()
    reading.cancel()
    await turns()
    assert not reading.done()
    os.close(await asyncio.to_thread(os.open, tmp_path / "pipe", os.O_WRONLY))
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert descriptors() - before == set()


async def test_a_stream_that_is_left_early_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(5 * PIECE))
    async with nothing_left(), aclosing(stream_file(tmp_path / "file")) as pieces:
        await anext(pieces)


async def test_that_somebody_else_cancels_the_reading_task_is_an_error_and_no_end(tmp_path: Path) -> None:
    reading, writer = await hanging(tmp_path / "pipe")
    for task in asyncio.all_tasks() - {asyncio.current_task(), reading}:
        task.cancel()
    await turns()
    os.close(writer)
    with pytest.raises(OSError, match="the task that read it was cancelled"):
        await reading


async def test_without_a_thread_there_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    (tmp_path / "file").write_bytes(b"x")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="no thread to read it: can't start new thread"):
        await read(tmp_path / "file")
