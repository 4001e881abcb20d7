"""Records too long to be held among others, in downloads that bring some of them again: none is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.api.types import Batch, RequestCounts
from streamer.report import Outcome
from streamer.results.block import read_lines
from streamer.results.framing import Lines
from streamer.sinks.file import FileSink
from tests.api.servers import sends
from tests.delivery.test_deliver import chunked, delivered, until_closed


def record(custom_id: str, size: int = 0) -> bytes:
    return json.dumps({"custom_id": custom_id, "result": {"type": "succeeded", "pad": "x" * size}}).encode()


LONG = record("long", 50_000)


def ids_in(folder: Path) -> list[str]:
    return [json.loads(line)["custom_id"] for line in (folder / "msgbatch_1.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize("second", [["a", "b", "long", "c"], ["long", "a", "b", "c"], ["a", "b", "c", "long"]])
async def test_a_long_record_that_is_held_already_takes_no_other_with_it(tmp_path: Path, second: list[str]) -> None:
    bodies = {"long": LONG, **{name: record(name) for name in "abc"}}
    broken = sends(until_closed(LONG + b"\n" + bodies["c"][:10]))
    whole = chunked(b"\n".join(bodies[name] for name in second))
    report, _ = await delivered(
        [broken, whole], [FileSink(tmp_path / "{batch_id}.jsonl")], counts=RequestCounts(succeeded=4)
    )
    assert report.outcome is Outcome.DELIVERED
    assert ids_in(tmp_path) == ["long", *(name for name in second if name != "long")]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_long_record_with_two_custom_ids_is_never_counted_and_not_written(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    two = b'{"custom_id":"a","pad":"' + b"x" * 50_000 + b'","custom_id":"b","result":{"type":"succeeded"}}'
    body = [record("a"), two]
    report, _ = await delivered(
        [chunked(b"\n".join(body[n] for n in order))],
        [FileSink(tmp_path / "{batch_id}.jsonl")],
        counts=RequestCounts(succeeded=2),
    )
    name = "msgbatch_1.jsonl" if report.complete else "msgbatch_1.jsonl.part"
    written = (tmp_path / name).read_bytes().splitlines()
    assert len(written) == report.distinct
    assert report.complete == (len(written) == 2)


@pytest.mark.parametrize("keep", [True, False])
async def test_ending_a_long_record_of_which_no_part_came_harms_nothing(tmp_path: Path, keep: bool) -> None:
    sink = FileSink(tmp_path / "{batch_id}.jsonl")
    block, _ = read_lines("msgbatch_1", Lines(0, record("a"), True))
    assert block is not None
    writer = await sink.open(Batch("msgbatch_1", "ended"))
    await writer.write(block)
    await writer.end_parts(keep=keep)
    await writer.commit()
    await writer.close()
    await sink.close()
    assert ids_in(tmp_path) == ["a"]
