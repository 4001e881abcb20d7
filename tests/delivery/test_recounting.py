"""Counts that come late: the batch is asked for again before a verdict, and its results are not downloaded again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from streamer.api.types import RequestCounts
from streamer.delivery.recounting import PAUSES
from streamer.report import Outcome
from streamer.sinks.file import FileSink
from tests.api.servers import Reply, batch, pours, refusal, reply
from tests.clock import FakeClock
from tests.delivery.test_deliver import BODY, RECORDS, WHOLE, chunked, delivered, final


@dataclass
class Counts:
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0


def ended(counts: Counts, **fields: Any) -> Reply:
    """An answer to a retrieve."""
    told: Mapping[str, Any] = {"processing_status": "ended", "request_counts": asdict(counts), **fields}
    return reply(200, batch("msgbatch_1", **told))


TEN = ended(Counts(succeeded=10))
NONE = RequestCounts()


@pytest.mark.parametrize(
    "late", [NONE, RequestCounts(processing=10), RequestCounts(processing=7, succeeded=3), RequestCounts(succeeded=3)]
)
async def test_counts_that_come_a_moment_late_cost_one_question_and_no_download(
    tmp_path: Path, late: RequestCounts
) -> None:
    report, server = await delivered([chunked(BODY), TEN], [FileSink(tmp_path / "{batch_id}.jsonl")], counts=late)
    assert (report.outcome, report.error) == (Outcome.DELIVERED, "")
    assert (report.downloads, report.expected, report.distinct) == (1, 10, 10)
    assert [seen.target.rsplit("/", 1)[1] for seen in server.seen] == ["results", "msgbatch_1"]
    assert final(tmp_path) == WHOLE


async def test_counts_that_come_later_still_are_waited_for_a_while(tmp_path: Path) -> None:
    clock = FakeClock()
    script = [chunked(BODY), ended(Counts()), refusal(404), refusal(404), ended(Counts(processing=10)), TEN]
    report, _ = await delivered(script, [FileSink(tmp_path / "{batch_id}.jsonl")], counts=NONE, clock=clock)
    assert (report.outcome, report.downloads) == (Outcome.DELIVERED, 1)
    assert set(PAUSES[:3]) <= set(clock.sleeps)


async def test_counts_that_stay_wrong_are_a_verdict_in_the_end(tmp_path: Path) -> None:
    report, _ = await delivered(
        [chunked(BODY), *[ended(Counts(succeeded=9))] * len(PAUSES)] * 5,
        [FileSink(tmp_path / "{batch_id}.jsonl")],
        counts=RequestCounts(succeeded=9),
    )
    assert report.outcome == Outcome.INCOMPLETE
    assert "got 10 of 9 records (1 succeeded too many)" in report.error
    assert not (tmp_path / "msgbatch_1.jsonl").exists()


async def test_results_that_are_empty_prove_no_batch_empty_whose_counts_are_late(tmp_path: Path) -> None:
    script = [chunked(b""), ended(Counts()), TEN, chunked(BODY)]
    report, _ = await delivered(script, [FileSink(tmp_path / "{batch_id}.jsonl")], counts=NONE)
    assert (report.outcome, report.downloads) == (Outcome.DELIVERED, 2)
    assert final(tmp_path) == WHOLE


async def test_a_file_that_is_whole_is_not_called_broken_by_counts_that_are_late(tmp_path: Path) -> None:
    (tmp_path / "msgbatch_1.jsonl").write_bytes(WHOLE)
    report, server = await delivered([TEN], [FileSink(tmp_path / "{batch_id}.jsonl")], counts=NONE)
    assert (report.outcome, report.error) == (Outcome.ALREADY_DELIVERED, "")
    assert len(server.seen) == 1


async def test_a_cut_is_no_reason_to_ask_for_the_counts(tmp_path: Path) -> None:
    script = [chunked(b"\n".join(RECORDS[:4])), chunked(BODY)]
    report, server = await delivered(script, [FileSink(tmp_path / "{batch_id}.jsonl")])
    assert report.complete
    assert len(server.seen) == 2


async def test_more_than_late_counts_allow_are_downloaded_once_the_counts_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.delivery.intake.SURPLUS", 3)
    script = [chunked(BODY), TEN, chunked(BODY)]
    report, _ = await delivered(
        script, [FileSink(tmp_path / "{batch_id}.jsonl")], counts=RequestCounts(processing=1, succeeded=1)
    )
    assert (report.outcome, report.error) == (Outcome.DELIVERED, "")
    assert final(tmp_path) == WHOLE


async def test_a_batch_that_claims_to_be_endless_is_ended_at_what_the_api_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.delivery.intake.MAX_REQUESTS", 20)
    monkeypatch.setattr("streamer.delivery.intake.SURPLUS", 10)
    lines = b"".join(b'{"custom_id":"%d","result":{"type":"succeeded"}}\n' % n for n in range(5000))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-jsonl\r\n\r\n"
    report, _ = await delivered(
        [pours(head, lines)],
        [FileSink(tmp_path / "{batch_id}.jsonl")],
        counts=RequestCounts(succeeded=10**18),
    )
    assert report.outcome == Outcome.INCOMPLETE
    assert "and no end, but a batch has at most 20" in report.error
    assert len((tmp_path / "msgbatch_1.jsonl.part").read_bytes().splitlines()) <= 5000


async def test_a_batch_whose_server_gives_no_counts_is_incomplete_and_says_why(tmp_path: Path) -> None:
    nothing = ended(Counts())
    for body in (b"", BODY):
        script = [chunked(body), *[nothing] * 40]
        report, _ = await delivered(
            script, [FileSink(tmp_path / "{batch_id}.jsonl")], batch={"request_counts": None}, clock=FakeClock()
        )
        assert report.outcome == Outcome.INCOMPLETE
        assert "the server gives no request_counts" in report.error
