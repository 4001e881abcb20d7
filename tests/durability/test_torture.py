"""Cancelled at every turn of the event loop, and every call to the system failing, once and for ever."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from operator import eq, le
from pathlib import Path
from typing import Any

import pytest

from streamer.disk import directory, growingfile
from streamer.report import Outcome
from streamer.results.record import Record
from streamer.runs.run import run
from streamer.sinks import partfile
from streamer.sinks.callback import CallbackSink
from streamer.sinks.checkpoint import CheckpointedSink
from streamer.sinks.file import FileSink
from tests.durability.harness import Ran, Truth, client_of, through, workspace
from tests.leftovers import nothing_left

CALLS = ("open", "close", "fsync", "link", "ftruncate", "stat", "lstat", "fstat", "pread", "unlink", "writev")


@pytest.fixture(scope="module")
def small() -> Iterator[Truth]:
    """One ended batch of 30 records."""
    with workspace(fill_ended=1, records=30) as found:
        yield found


async def test_a_run_cancelled_at_any_turn_leaves_nothing_and_goes_on(small: Truth, tmp_path: Path) -> None:
    turns, finished = 0, False
    [batch_id] = small.ids
    while not finished:
        folder = tmp_path / str(turns)
        got: list[str] = []
        sinks = [
            FileSink(folder / "{batch_id}.jsonl"),
            CheckpointedSink(CallbackSink(_keeping(got)), folder / "journal", name="x"),
        ]
        async with nothing_left():
            async with client_of(small.emulator.base_url) as client:
                work = asyncio.create_task(run(client, small.ids, sinks))
                for _ in range(turns):
                    await asyncio.sleep(0)
                finished = work.done()
                work.cancel()
                await asyncio.wait([work])
            before = {path.name: path.read_bytes() for path in folder.glob("*.jsonl*")}
            await asyncio.sleep(0)
            assert {path.name: path.read_bytes() for path in folder.glob("*.jsonl*")} == before
        async with client_of(small.emulator.base_url) as client:
            report = await run(client, small.ids, sinks)
        assert report.complete
        assert (folder / f"{batch_id}.jsonl").read_bytes() == small.bodies[batch_id]
        assert len(set(got)) == 30
        turns += 1 + turns // 2


def _keeping(got: list[str]) -> Callable[[Record], None]:
    return lambda record: got.append(record.custom_id)


class Shim:
    """The module `os` as what writes files sees it, counting calls and failing some of them."""

    def __init__(self, fails: Callable[[int], bool]) -> None:
        self.calls: list[str] = []
        self._fails = fails

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in CALLS:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "close":  # a close that fails has closed
                real(*args, **kwargs)
            self.count(name)
            return None if name == "close" else real(*args, **kwargs)

        return call

    def count(self, name: str) -> None:
        self.calls.append(name)
        if self._fails(len(self.calls)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, fails: Callable[[int], bool]) -> Iterator[Shim]:
    """Have the calls for files fail of which `fails` says so, by their number."""
    shim = Shim(fails)

    class File(growingfile.GrowingFile):
        def close(self) -> None:
            if not self.closed:
                super().close()
                shim.count("close file")

    with monkeypatch.context() as patch:
        for module in (directory, growingfile, partfile):
            patch.setattr(module, "os", shim)
        patch.setattr(growingfile, "GrowingFile", File)
        yield shim


def assert_harmless(ran: Ran, truth: Truth) -> None:
    """Whatever failed was told, and nothing that is final is wrong."""
    for batch_id, body in truth.bodies.items():
        report = ran.batches[batch_id]
        final = ran.folder / f"{batch_id}.jsonl"
        assert report.outcome in (Outcome.DELIVERED, Outcome.FAILED)
        if report.complete:
            assert final.read_bytes() == body
        else:
            assert report.error
        assert not final.exists() or final.read_bytes() == body


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for_ever"])
async def test_every_call_to_the_system_may_fail(
    small: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, for_ever: bool
) -> None:
    failed = 0
    for number in count(1):
        folder = tmp_path / str(number)
        fails = partial(le if for_ever else eq, number)
        with failing(monkeypatch, fails) as shim:
            async with nothing_left():
                ran = await through(small, folder)
        assert_harmless(ran, small)
        if ran.errors:
            failed += 1
            assert "EIO" in ran.errors[0] or "Input/output error" in ran.errors[0]
        (await through(small, folder)).assert_exact()
        if len(shim.calls) < number:
            break  # there are no more calls
    assert failed >= 8


async def test_a_file_gets_its_name_after_it_is_durable_and_the_name_is_made_durable_too(
    small: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut leaves is decided by the order of these calls."""
    with failing(monkeypatch, lambda n: False) as shim:
        (await through(small, tmp_path)).assert_exact()
    order = [name for name in shim.calls if name in ("writev", "fsync", "link", "unlink")]
    assert order == ["writev", "fsync", "link", "fsync", "unlink"]
