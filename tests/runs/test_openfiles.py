"""No more deliveries at once than can have their files open."""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streamer.runs.openfiles import fitting
from streamer.sinks.base import Sink
from streamer.sinks.callback import CallbackSink
from streamer.sinks.checkpoint import CheckpointedSink
from streamer.sinks.file import FileSink

FILES: list[Sink] = [FileSink("a/{batch_id}"), FileSink("b/{batch_id}")]


@contextmanager
def limit(more: int) -> Iterator[None]:
    """As a process that may have so many more files open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + more, before[1]))  # noqa: PTH208
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_as_many_as_fit_and_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with limit(more=64):
        assert fitting(32, FILES) == (64 - 16) // 6
        assert fitting(8, FILES) == 8
        assert fitting(12, FILES[:1]) == 12
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "8 batches at once are delivered instead of 32" in caplog.text
    assert "ulimit -n" in caplog.text


def test_one_is_always_tried() -> None:
    with limit(more=2):
        assert fitting(4, FILES) == 1


def test_a_sink_says_what_it_needs() -> None:
    sink = CallbackSink(print)
    assert (sink.open_files, CheckpointedSink(sink, "j", name="n").open_files) == (0, 0)
    with limit(more=64):
        assert fitting(100, [sink]) == (64 - 16) // 2
