"""Every sink of ours keeps the contract, by the tests that other people's sinks run too."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import select
import termios
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from streamer.results.block import Block
from streamer.results.record import Record
from streamer.sinks.base import Sink
from streamer.sinks.callback import CallbackSink
from streamer.sinks.conformance import HEAD, PartSinkConformance, SinkConformance
from streamer.sinks.file import FileSink
from streamer.sinks.queue import QueueSink
from streamer.sinks.stdout import StdoutSink


class TestFileSink(PartSinkConformance):
    atomic = True
    resumes = True

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "some" / "where"

    def make_sink(self) -> Sink:
        return FileSink(self.directory / "{batch_id}.jsonl")

    def delivered(self, batch_id: str) -> list[bytes]:
        path = self.directory / f"{batch_id}.jsonl"
        return read_lines(path) if path.exists() else []


class TestStdoutSink(PartSinkConformance):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> Iterator[None]:
        self.path = tmp_path / "out"
        self.descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        yield
        os.close(self.descriptor)

    def make_sink(self) -> Sink:
        return StdoutSink(self.descriptor)

    def delivered(self, batch_id: str) -> list[bytes]:
        return [line for line in read_lines(self.path) if belongs(line, batch_id)]


class TestStdoutSinkIntoPipe(TestStdoutSink):
    """A pipe holds 64 KiB, so writes must wait for its reader."""

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> Iterator[None]:
        self.path = tmp_path / "out"
        self.file = self.path.open("wb", buffering=0)
        self.reading, self.descriptor = os.pipe()
        self.lock = threading.Lock()  # held from taking bytes out of the pipe until they are in the file
        reader = threading.Thread(target=self._read)
        reader.start()
        yield
        os.close(self.descriptor)
        reader.join()
        os.close(self.reading)
        self.file.close()

    def _read(self) -> None:
        data = b"?"
        while data:
            select.select([self.reading], [], [])
            with self.lock:
                data = os.read(self.reading, 4096)
                self.file.write(data)

    def delivered(self, batch_id: str) -> list[bytes]:
        waiting = array.array("i", [1])
        while waiting[0]:
            with self.lock:
                fcntl.ioctl(self.reading, termios.FIONREAD, waiting)
        return super().delivered(batch_id)


class TestCallbackSinkInThread(SinkConformance):
    @pytest.fixture(autouse=True)
    def _place(self) -> None:
        self.taken: dict[str, list[bytes]] = defaultdict(list)

    def make_sink(self) -> Sink:
        return CallbackSink(self.take)

    def take(self, record: Record) -> None:
        self.taken[record.batch_id].append(record.raw)

    def delivered(self, batch_id: str) -> list[bytes]:
        return self.taken[batch_id]


class TestCallbackSinkOnLoop(TestCallbackSinkInThread):
    def make_sink(self) -> Sink:
        return CallbackSink(self.take_later)

    async def take_later(self, record: Record) -> None:
        await asyncio.sleep(0)
        self.take(record)


class TestCallbackSinkPerBlock(TestCallbackSinkInThread):
    def make_sink(self) -> Sink:
        return CallbackSink(self.take_block, per="block", concurrency=3)

    def take_block(self, block: Block) -> None:
        for record in block.records():
            self.take(record)


class TestQueueSink(SinkConformance):
    @pytest.fixture(autouse=True)
    def _place(self) -> None:
        self.queue: asyncio.Queue[Record | None] = asyncio.Queue(maxsize=100_000)
        self.taken: dict[str, list[bytes]] = defaultdict(list)

    def make_sink(self) -> Sink:
        return QueueSink(self.queue)

    def delivered(self, batch_id: str) -> list[bytes]:
        while not self.queue.empty():
            record = self.queue.get_nowait()
            if record is not None:
                self.taken[record.batch_id].append(record.raw)
        return self.taken[batch_id]


def read_lines(path: Path) -> list[bytes]:
    """The lines of a file, each of which must be ended by a newline."""
    data = path.read_bytes()
    assert data.endswith(b"\n") or not data
    return data.split(b"\n")[:-1]


def belongs(line: bytes, batch_id: str) -> bool:
    """Whether a line is a record of the batch; one that a cancelled run left torn is nobody's."""
    try:
        return HEAD.decode(line).custom_id.startswith(f"{batch_id}-")
    except msgspec.DecodeError:
        return False
