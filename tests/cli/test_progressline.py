"""What is said of work that takes a while."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streamer.api.client import Client
from streamer.cli.show.created import CreatedIds
from streamer.cli.show.processprogress import ProcessProgress
from streamer.cli.show.progressline import ProgressLine, line
from streamer.cli.show.terminal import _Plain
from streamer.progress import Progress, Work
from streamer.report import BatchReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LINES = [
    (Progress(Work.CHECKING), "checking requests: 0"),
    (Progress(Work.CHECKING, done=5_000_000, requests=1_234), "checking requests: 1,234"),
    (Progress(Work.CHECKING, total=1000, done=619, requests=1_234), "checking requests: 1,234 (61 %)"),
    (Progress(Work.CHECKING, total=1000, done=2000, requests=9), "checking requests: 9 (100 %)"),
    (Progress(Work.SENDING, total=999, batch=1, batches=1_200), "sending batch 1 of 1,200: 0 B of 999 B"),
    (Progress(Work.READING, total=2_100_000_000, done=840_000_000), "reading 2.1 GB of results: 40 %"),
    (Progress(Work.READING), "reading results"),
    (Progress(Work.CHOOSING, total=300, done=100), "looking for requests to send again: 33 %"),
    (Progress(Work.CHOOSING, done=1_000), "looking for requests to send again: 1,000"),
    (Progress(Work.JOINING, total=1, done=0), "putting 1 answer in order: 0 %"),
    (Progress(Work.JOINING, done=1_000), "putting answers in order: 1,000"),
]


@pytest.mark.parametrize(("progress", "told"), LINES, ids=[told for _, told in LINES])
def test_how_far_it_has_come_is_one_line(progress: Progress, told: str) -> None:
    assert line(progress) == told


def test_work_is_shown_while_it_lasts_and_drawn_at_once() -> None:
    progress_line = ProgressLine()
    drawn: list[list[str]] = []
    progress_line.redraw = lambda: drawn.append(progress_line.lines(NOW))
    assert progress_line.lines(NOW) == []
    with Progress(Work.JOINING, total=4) as progress:
        progress_line.working(progress)
        assert drawn == [["putting 4 answers in order: 0 %"]]
        progress.done = 3
        assert progress_line.lines(NOW) == ["putting 4 answers in order: 75 %"]
    assert progress_line.lines(NOW) == []


def test_what_is_drawn_is_gone_before_an_id_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    observer = CreatedIds()
    with Progress(Work.SENDING, batch=1, batches=1) as progress:
        observer.working(progress)
    before: list[tuple[str, list[str]]] = []
    observer.progress_line.redraw = lambda: before.append((capsys.readouterr().out, observer.progress_line.lines(NOW)))
    observer.created("msgbatch_1")
    assert before == [("", [])]
    assert capsys.readouterr().out == "msgbatch_1\n"


async def test_totals_are_shown_once_there_is_a_batch() -> None:
    async with Client(api_key="none", base_url="http://127.0.0.1:9") as client:
        view = ProcessProgress(client, lambda report: None, None)
        with Progress(Work.CHECKING, requests=7) as progress:
            view.working(progress)
            assert view.lines(NOW) == ["checking requests: 7"]
            view.finished(BatchReport(batch_id="msgbatch_1"))
            checking, totals = view.lines(NOW)
            assert checking == "checking requests: 7"
            assert "0 at the API, 0 queued, 0 streaming" in totals
        [totals] = view.lines(NOW)
        assert "1 failed" in totals


def test_a_plain_line_is_said_when_it_says_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    progress_line = ProgressLine()
    say = _Plain(progress_line).show
    say()
    with Progress(Work.CHECKING) as progress:
        progress_line.working(progress)
        for progress.requests in (1, 1, 1, 2, 2):
            say()
    say()
    assert capsys.readouterr().err.splitlines() == ["streamer: checking requests: 1", "streamer: checking requests: 2"]
