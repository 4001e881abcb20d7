"""Results that come whole but are not what they should be: broken records, too many, too few, too long."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from streamer.delivery import intake
from streamer.faults.proxy import serving
from streamer.faults.script import Script
from streamer.report import Outcome
from streamer.results.record import Record
from streamer.runs.run import run
from streamer.sinks.callback import CallbackSink
from streamer.sinks.file import FileSink
from tests.clock import FakeClock
from tests.durability.harness import Truth, client_of, through, whole, workspace


@pytest.mark.parametrize("fault", ["crlf", "blank", "bom", "slice=97", "gzip", "zstd"])
async def test_what_separates_records_or_wraps_them_belongs_to_none(truth: Truth, tmp_path: Path, fault: str) -> None:
    ran = await through(truth, tmp_path, fault)
    ran.assert_exact()
    assert ran.struck == 3


async def test_a_line_in_the_middle_that_is_no_record_is_kept_apart_and_the_rest_is_delivered(
    truth: Truth, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects"
    files = tmp_path / "files"
    ran = await through(truth, files, "poison=garbage@50%", rejects=str(rejects / "{batch_id}.jsonl"))
    for batch_id, body in truth.bodies.items():
        [kept] = [json.loads(line) for line in (rejects / f"{batch_id}.jsonl").read_bytes().splitlines()]
        garbage = base64.b64decode(kept["raw_base64"])
        assert kept["batch_id"] == batch_id
        assert kept["length"] == len(garbage)
        assert body[: kept["offset"]].endswith(b"}\n")
        assert garbage not in body
        assert ran.batches[batch_id].rejected == 1
        assert ran.final(batch_id) == body  # the counts prove that nothing is missing


@pytest.mark.parametrize("poison", ["utf8", "nul", "surrogate", "separators", "digits"])
async def test_strange_bytes_in_a_record_are_delivered_as_they_came(truth: Truth, tmp_path: Path, poison: str) -> None:
    records: list[Record] = []
    sinks = [FileSink(tmp_path / "{batch_id}.jsonl"), CallbackSink(records.append)]
    async with serving(truth.emulator.base_url, Script([f"poison={poison}@50%"])) as base_url:
        async with client_of(base_url) as client:
            sent = {}
            for batch_id in truth.ids:
                async with client.results(await client.retrieve(batch_id)) as results:
                    sent[batch_id] = whole(b"".join([data async for data in results]))
            report = await run(client, truth.ids, sinks, clock=FakeClock())
    rejected = sum(batch.rejected for batch in report.batches)
    assert rejected == (3 if poison == "nul" else 0)  # JSON has no bare NUL
    for batch_id, body in sent.items():
        assert body != truth.bodies[batch_id]
        path = tmp_path / f"{batch_id}.jsonl"
        if rejected:
            path = path.with_name(path.name + ".part")
        missing = set(body.splitlines()) - set(path.read_bytes().splitlines())
        assert len(missing) == rejected // 3
    assert len(records) == 300 - rejected


async def test_json_of_100_000_levels_costs_one_record_at_most(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "poison=deep@50%", rejects=str(tmp_path / "{batch_id}.rejects"))
    for batch_id, body in truth.bodies.items():
        report = ran.batches[batch_id]
        assert report.distinct >= 99
        there = ran.final(batch_id) if report.complete else ran.kept(batch_id)
        assert len(set(body.splitlines()) - set(there.splitlines())) == 1
        assert report.complete == (report.rejected == 0)


async def test_records_that_come_twice_are_delivered_once_and_counted(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "duplicate=7")
    ran.assert_exact()
    assert {batch.duplicates for batch in ran.batches.values()} == {7}


@pytest.mark.parametrize(
    ("fault", "said"), [("drop=3", "got 97 of 100 records"), ("extra=2", "got 102 of 100 records")]
)
async def test_fewer_or_more_than_the_counts_say_is_never_final(
    truth: Truth, tmp_path: Path, fault: str, said: str
) -> None:
    ran = await through(truth, tmp_path, fault)
    for batch_id in truth.ids:
        assert ran.batches[batch_id].outcome is Outcome.INCOMPLETE
        assert ran.batches[batch_id].error.startswith(said)
        assert ran.kept(batch_id)


async def test_records_that_were_missing_once_come_with_the_next_download(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "drop=3,n=1,per=batch")
    ran.assert_same_records()


@pytest.mark.parametrize("fault", ["bomb=256m", "extra=500", "endless_line@50%"])
async def test_results_without_end_are_ended(
    truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(intake, "LONGEST_RECORD", 3_000_000)
    monkeypatch.setattr(intake, "SURPLUS", 100)
    ran = await through(truth, tmp_path, fault, max_record_bytes=100_000)
    for batch_id, body in truth.bodies.items():
        report = ran.batches[batch_id]
        assert report.outcome is Outcome.INCOMPLETE
        assert "came and no end, but the batch has 100 records" in report.error
        assert report.downloads == 1
        assert report.bytes < 10_000_000
        kept = ran.kept(batch_id)
        assert len(kept) < 10_000_000
        if fault == "endless_line@50%":
            assert body.startswith(kept)


async def test_a_record_longer_than_what_is_held_passes_whole(tmp_path: Path) -> None:
    with workspace(fill_ended=2, records=4, huge_bytes=6_000_000) as truth:
        ran = await through(truth, tmp_path, "fin@50%,n=1,per=batch", max_record_bytes=100_000)
        ran.assert_exact()


@pytest.mark.parametrize("mix", ["expired=1", "canceled=1", "errored=0.5,expired=0.5"])
async def test_a_batch_without_one_success_is_as_complete_as_any(tmp_path: Path, mix: str) -> None:
    with workspace(fill_ended=1, records=9, mix=mix) as truth:
        ran = await through(truth, tmp_path)
        ran.assert_exact()
        assert set(ran.report.records) <= {"errored", "canceled", "expired"}
        assert sum(ran.report.records.values()) == 9
