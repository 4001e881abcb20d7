"""What progress says adds up, and leaves nothing behind on the terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from streamer.api.client import Client
from streamer.api.types import Batch, RequestCounts
from streamer.cli.show.processprogress import ProcessProgress
from streamer.cli.show.runprogress import RunProgress
from streamer.cli.show.terminal import _Drawing
from streamer.report import BatchReport, Outcome
from tests.cli.screen import Screen

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def batch(batch_id: str, status: str = "in_progress", expires_in: timedelta = timedelta(hours=5)) -> Batch:
    return Batch(
        id=batch_id, processing_status=status, request_counts=RequestCounts(processing=9), expires_at=NOW + expires_in
    )


def nothing(report: BatchReport) -> None:
    """Nobody listens."""


async def test_every_batch_is_in_one_place_from_the_first_look_to_the_last() -> None:
    ids = [f"msgbatch_{n}" for n in range(6)]
    async with Client(api_key="none", base_url="http://127.0.0.1:9") as client:
        progress = RunProgress(client, ids, nothing)
        assert progress.totals(NOW).startswith("6 at the API, 0 queued, 0 streaming, 0 done, 0 failed, 0 records")
        for one in ids[:3]:
            progress.polled(batch(one, "ended", timedelta(hours=-1)))
        progress.polled(batch(ids[3]))
        progress.paused(8.2)
        told = progress.totals(NOW)
        assert told.startswith("3 at the API, 3 queued, 0 streaming, 0 done, 0 failed")
        assert told.endswith("next look in 8 s, first expires in 5 h 0 min")
        for one, outcome in zip(ids, (Outcome.ALREADY_DELIVERED, Outcome.DELIVERED, Outcome.FAILED), strict=False):
            report = BatchReport(batch_id=one)
            progress.started(batch(one, "ended"), report)
            assert "1 streaming" in progress.totals(NOW)
            report.outcome = outcome
            progress.finished(report)
        assert "3 at the API, 0 queued, 0 streaming, 2 done (1 by an earlier run), 1 failed" in progress.totals(NOW)


async def test_what_has_ended_does_not_expire_and_is_not_looked_at_again() -> None:
    async with Client(api_key="none", base_url="http://127.0.0.1:9") as client:
        progress = RunProgress(client, (), nothing)
        progress.paused(60)
        progress.polled(batch("msgbatch_1", "ended"))
        assert "expires" not in progress.totals(NOW)
        assert "next look" not in progress.totals(NOW)
        progress.polled(batch("msgbatch_2", expires_in=timedelta(seconds=-1)))
        assert "expires" not in progress.totals(NOW)


async def test_what_an_earlier_run_of_process_delivered_is_counted() -> None:
    async with Client(api_key="none", base_url="http://127.0.0.1:9") as client:
        progress = ProcessProgress(client, nothing, None)
        for one in ("msgbatch_1", "msgbatch_2", "msgbatch_1"):  # as each attempt tells of all
            progress.delivered_before(one)
        assert "2 done (2 by an earlier run), 0 failed" in progress.lines(NOW)[0]


@pytest.mark.parametrize(("before", "after"), [(120, 60), (100, 99), (90, 55), (60, 120), (80, 80)])
async def test_a_terminal_that_becomes_narrower_keeps_no_ghost(before: int, after: int) -> None:
    written = io.StringIO()
    screen = Screen(before)
    screen.feed("$ streamer run --all\n")
    async with Client(api_key="none", base_url="http://127.0.0.1:9") as client:
        progress = RunProgress(client, [f"msgbatch_{n}" for n in range(9)], nothing)
        progress.polled(batch("msgbatch_8"))
        for n in range(3):
            one = f"msgbatch_{n}" + "x" * 20
            report = BatchReport(batch_id=one, expected=1000, distinct=500, bytes=1_000_000)
            progress.started(batch(one, "ended"), report)
        drawing = _Drawing(progress)
        drawing._console = Console(file=written, force_terminal=True, width=before, height=30, highlight=False)

        def draw() -> None:
            drawing.show()
            screen.feed(written.getvalue())
            written.seek(0)
            written.truncate()

        draw()
        draw()
        screen.resize(after)
        drawing._console.width = after
        for _ in range(3):
            draw()
            text = "\n".join(screen.rows)
            assert text.count("at the API") == 1
            assert [text.count(f"msgbatch_{n}x") for n in range(3)] == [1, 1, 1]
            assert screen.rows[0] == "$ streamer run --all"
        drawing.close()
        screen.feed(written.getvalue())
        assert "".join(screen.rows).rstrip() == "$ streamer run --all"
