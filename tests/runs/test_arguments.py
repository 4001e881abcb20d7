"""What people hold is taken: batches of any client, paths, sinks; every other mistake is one sentence that names it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.types.messages import MessageBatch

from streamer.api.types import Batch
from streamer.errors import ConfigurationError
from streamer.observer import Observer
from streamer.report import BatchReport
from streamer.results.record import Record
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.runs.stream import stream
from streamer.sinks.callback import CallbackSink
from streamer.sinks.file import FileSink
from streamer.sinks.targets import Target
from tests.emulated import emulated
from tests.runs.test_run import everything


@dataclass
class Mine:
    id: str


async def test_batches_are_taken_in_every_form_that_people_hold_them_in(tmp_path: Path) -> None:
    async with emulated(fill_ended=2, records=3) as (emulator, client, clock):
        ours = await everything(client)
        ids = [batch.id for batch in ours]
        with anthropic.Anthropic(base_url=emulator.base_url, api_key="test-key") as official:
            theirs: list[MessageBatch] = list(official.messages.batches.list())

        async def coming() -> AsyncIterator[Any]:
            yield ids[0]
            yield theirs[0]
            yield ours[1]

        forms: list[Any] = [
            ids,
            tuple(ours),
            theirs,
            [Mine(batch_id) for batch_id in ids],
            (batch_id for batch_id in ids),
            dict.fromkeys(ids),
            coming(),
            [ids[0], theirs[0], theirs[1], ours[1]],
        ]
        async with anthropic.AsyncAnthropic(base_url=emulator.base_url, api_key="test-key") as official_async:
            forms.append(await official_async.messages.batches.list())
            for number, form in enumerate(forms):
                report = await run(client, form, tmp_path / str(number) / "{batch_id}.jsonl", clock=clock)
                assert report.complete, number
                assert sorted(batch.batch_id for batch in report.batches) == sorted(ids), number
        async with stream(client, [theirs[0]]) as records:
            assert len([record async for record in records]) == 3


async def test_sinks_are_paths_strings_as_of_the_command_line_and_sinks_mixed(tmp_path: Path) -> None:
    seen: list[Record] = []
    async with emulated(fill_ended=1, records=3) as (_, client, clock):
        [batch] = await everything(client)
        places: list[Target] = [
            f"{tmp_path}/a/{{batch_id}}.jsonl",
            tmp_path / "b" / "{batch_id}.jsonl",
            CallbackSink(seen.append),
            FileSink(tmp_path / "c" / "{batch_id}.jsonl"),
        ]
        assert (await run(client, [batch], places, clock=clock)).complete
        assert (await run(client, [batch], str(tmp_path / "d" / "{batch_id}.jsonl"), clock=clock)).complete
        assert len(seen) == 3
        files = [(tmp_path / name / f"{batch.id}.jsonl").read_bytes() for name in "abcd"]
        assert len(set(files)) == 1


async def ids_later() -> list[str]:
    return ["msgbatch_1"]


class AsyncObserver(Observer):
    async def finished(self, report: BatchReport) -> None:  # type: ignore[override]  # that is the mistake
        """Never awaited."""


class Lines:
    """Lines of a file, that can be read more than once."""

    def __iter__(self) -> Iterator[Any]:
        yield "msgbatch_1"
        yield 7


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"batch_ids": Batch("msgbatch_1", "ended")}, r"batch_ids is one batch, 'msgbatch_1'; write \[batch\]"),
        ({"batch_ids": b"msgbatch_1"}, "batch_ids is the bytes b'msgbatch_1'; give a list"),
        ({"batch_ids": None}, "batch_ids is None; give a list"),
        ({"batch_ids": 7}, "batch_ids is the int 7; give a list"),
        ({"batch_ids": [None]}, "batch_ids holds None, which is no id and has none"),
        ({"batch_ids": [{"id": "msgbatch_1"}]}, r"batch_ids holds a dict, which is no id .*; write batch\['id'\]"),
        ({"batch_ids": [["msgbatch_1"]]}, "batch_ids holds a list"),
        ({"batch_ids": [Batch]}, "batch_ids holds the class Batch"),
        ({"batch_ids": Lines()}, "batch_ids holds the int 7"),
        ({"sinks": []}, "sinks is empty, so the records would go nowhere"),
        ({"sinks": None}, "sinks has None, which is no sink"),
        ({"sinks": FileSink}, "sinks has the class FileSink, which is no sink; make one of it"),
        ({"sinks": print}, r"write streamer.CallbackSink\(function\)"),
        ({"sinks": [asyncio.Queue()]}, r"write streamer.QueueSink\(queue\)"),
        ({"sinks": "s3://bucket/{batch_id}.jsonl"}, "begins with s3:, which no installed package provides"),
        ({"sinks": "results.jsonl"}, "{batch_id}"),
        ({"sinks": ["x/{batch_id}", Path("y/{batch_id}"), "x/{batch_id}"]}, "sinks has x/{batch_id} twice"),
        ({"options": {"concurrency": 2}}, "options is a dict, not a streamer.RunOptions"),
        ({"observer": AsyncObserver()}, "observer.finished is an `async def`"),
        ({"observer": print}, "observer is a builtin_function_or_method, not a streamer.Observer"),
        ({"client": anthropic.AsyncAnthropic(api_key="test-key")}, r"client is an AsyncAnthropic.*streamer.Client\(\)"),
    ],
)
async def test_a_mistake_is_one_sentence_and_nothing_is_asked(arguments: dict[str, Any], says: str) -> None:
    async with emulated(fill_ended=1) as (emulator, client, clock):
        given = {"client": client, "batch_ids": ["msgbatch_1"], "sinks": "x/{batch_id}.jsonl", "clock": clock}
        with pytest.raises(ConfigurationError, match=says) as caught:
            await run(**{**given, **arguments})
        assert "\n" not in str(caught.value)
        assert emulator.stats()["requests"] == {"stats": 1}


async def test_a_coroutine_that_was_not_awaited_is_told_and_leaves_no_warning() -> None:
    async with emulated() as (_, client, clock):
        with pytest.raises(ConfigurationError, match="batch_ids is a coroutine; await it first"):
            await run(client, ids_later(), "x/{batch_id}", clock=clock)  # type: ignore[arg-type]  # that is the mistake


async def test_a_stream_says_the_same_when_it_is_read() -> None:
    async with emulated(fill_ended=1) as (_, client, _clock):
        for given, says in [(7, "batch_ids is the int 7"), ([7], "batch_ids holds the int 7")]:
            with pytest.raises(ConfigurationError, match=says):
                async with stream(client, given) as records:  # type: ignore[arg-type]  # that is the mistake
                    async for _ in records:
                        pass


async def test_an_id_that_is_none_among_those_that_come_ends_the_run(tmp_path: Path) -> None:
    async def coming() -> AsyncIterator[Any]:
        yield 7

    async with emulated(fill_ended=1) as (_, client, clock):
        with pytest.raises(ConfigurationError, match="batch_ids holds the int 7"):
            await run(client, coming(), tmp_path / "{batch_id}", RunOptions(), clock=clock)
