"""What is said of work that takes a while."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streamer.api.client import Client
from streamer.cli.created import CreatedIds
from streamer.cli.following import Following, line
from streamer.cli.progress import _Plain
from streamer.cli.submissionboard import SubmissionBoard
from streamer.report import BatchReport
from streamer.requests import Slice
from streamer.step import Step, Work
from streamer.submission.ledger import Planned, State

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LINES = [
    (Step(Work.CHECKING), "checking requests: 0"),
    (Step(Work.CHECKING, done=5_000_000, requests=1_234), "checking requests: 1,234"),
    (Step(Work.CHECKING, total=1000, done=619, requests=1_234), "checking requests: 1,234 (61 %)"),
    (Step(Work.CHECKING, total=1000, done=2000, requests=9), "checking requests: 9 (100 %)"),
    (Step(Work.SENDING, total=999, batch=1, batches=1_200), "sending batch 1 of 1,200: 0 B of 999 B"),
    (Step(Work.READING, total=2_100_000_000, done=840_000_000), "reading 2.1 GB of results: 40 %"),
    (Step(Work.READING), "reading results"),
    (Step(Work.CHOOSING, total=300, done=100), "looking for requests to send again: 33 %"),
    (Step(Work.CHOOSING, done=1_000), "looking for requests to send again: 1,000"),
    (Step(Work.JOINING, total=1, done=0), "putting 1 answer in order: 0 %"),
    (Step(Work.JOINING, done=1_000), "putting answers in order: 1,000"),
]


@pytest.mark.parametrize(("step", "told"), LINES, ids=[told for _, told in LINES])
def test_how_far_it_has_come_is_one_line(step: Step, told: str) -> None:
    assert line(step) == told


def test_work_is_shown_while_it_lasts_and_drawn_at_once() -> None:
    following = Following()
    drawn: list[list[str]] = []
    following.redraw = lambda: drawn.append(following.lines(NOW))
    assert following.lines(NOW) == []
    with Step(Work.JOINING, total=4) as step:
        following.working(step)
        assert drawn == [["putting 4 answers in order: 0 %"]]
        step.done = 3
        assert following.lines(NOW) == ["putting 4 answers in order: 75 %"]
    assert following.lines(NOW) == []


def test_what_is_drawn_is_gone_before_an_id_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    observer = CreatedIds()
    with Step(Work.SENDING, batch=1, batches=1) as step:
        observer.working(step)
    before: list[tuple[str, list[str]]] = []
    observer.following.redraw = lambda: before.append((capsys.readouterr().out, observer.following.lines(NOW)))
    observer.created(Planned(1, 1, "requests.jsonl", Slice(0, 9, 1), State.CREATED, "msgbatch_1"))
    assert before == [("", [])]
    assert capsys.readouterr().out == "msgbatch_1\n"


async def test_totals_are_shown_once_there_is_a_batch() -> None:
    async with Client(api_key="none", base_url="http://127.0.0.1:9") as client:
        board = SubmissionBoard(client, lambda report: None, None)
        with Step(Work.CHECKING, requests=7) as step:
            board.working(step)
            assert board.lines(NOW) == ["checking requests: 7"]
            board.finished(BatchReport(batch_id="msgbatch_1"))
            checking, totals = board.lines(NOW)
            assert checking == "checking requests: 7"
            assert "0 waiting, 0 streaming" in totals
        [totals] = board.lines(NOW)
        assert "1 failed" in totals


def test_a_plain_line_is_said_when_it_says_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    following = Following()
    say = _Plain(following).show
    say()
    with Step(Work.CHECKING) as step:
        following.working(step)
        for step.requests in (1, 1, 1, 2, 2):
            say()
    say()
    assert capsys.readouterr().err.splitlines() == ["streamer: checking requests: 1", "streamer: checking requests: 2"]
