"""What an answer about a watched batch means, and when the next question is due: without a network or a clock."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.api.types import Batch, RequestCounts
from streamer.errors import ConfigurationError, NotFoundError
from streamer.watching.roster import MISSING_GRACE, SLOWEST, UNKNOWN_GRACE, URL_GRACE, Ended, Lost, Roster, pause
from tests.clock import FakeClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
YOUNG = Batch(id="b", processing_status="in_progress", request_counts=RequestCounts(processing=4), created_at=NOW)
NOT_FOUND = NotFoundError("there is no batch b", status=404)


def roster(clock: FakeClock, interval: float = 10.0) -> Roster:
    watched = Roster(interval=interval, clock=clock, random=Random(1))
    watched.add("b")
    return watched


@given(
    age=st.floats(0, 10**7), interval=st.floats(0.01, 600), hint=st.none() | st.floats(0, 3600), seed=st.integers(0, 99)
)
def test_a_pause_is_never_shorter_than_the_interval_or_the_servers_hint_and_never_long(
    age: float, interval: float, hint: float | None, seed: int
) -> None:
    seconds = pause(age, interval=interval, hint=hint, random=Random(seed))
    shortest = max(interval, hint or 0)
    assert shortest <= seconds <= 1.2 * max(shortest, SLOWEST)


def test_an_old_batch_is_asked_for_less_often_than_a_young_one() -> None:
    clock = FakeClock(NOW)
    watched = roster(clock)
    watched.add("old")
    watched.update(YOUNG)
    watched.update(msgspec.structs.replace(YOUNG, id="old", created_at=NOW - timedelta(hours=3)))
    clock.advance(12)
    assert watched.due() == ["b"]
    clock.advance(60)
    assert watched.due() == ["b", "old"]


def test_the_hint_of_the_server_is_honoured() -> None:
    clock = FakeClock(NOW)
    watched = roster(clock)
    watched.hint = 30.0
    watched.update(YOUNG)
    assert watched.wait() >= 30


def test_an_ended_batch_is_handed_on_once_and_not_watched_again() -> None:
    watched = roster(FakeClock(NOW))
    ended = msgspec.structs.replace(
        YOUNG,
        processing_status="ended",
        request_counts=RequestCounts(succeeded=4),
        results_url="https://example.com/r",
    )
    assert watched.update(ended) == Ended(ended)
    assert "b" not in watched
    watched.add("b")
    assert len(watched) == 0


@pytest.mark.parametrize("status", ["in_progress", "canceling", "paused_by_a_later_api"])
def test_any_other_status_is_watched_on_even_with_a_results_url(status: str) -> None:
    watched = roster(FakeClock(NOW))
    assert watched.update(msgspec.structs.replace(YOUNG, processing_status=status, results_url="https://x/r")) is None
    assert "b" in watched


def test_an_unknown_status_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    roster(FakeClock(NOW)).update(msgspec.structs.replace(YOUNG, processing_status="paused"))
    assert "unknown status 'paused'" in caplog.text


def test_an_archived_batch_is_lost_and_says_since_when() -> None:
    watched = roster(FakeClock(NOW))
    outcome = watched.update(msgspec.structs.replace(YOUNG, processing_status="ended", archived_at=NOW))
    assert isinstance(outcome, Lost)
    assert "2026-01-01 00:00 UTC" in str(outcome.error)
    assert "29 days" in str(outcome.error)


def test_a_batch_that_was_never_seen_is_unknown_after_a_short_grace() -> None:
    clock = FakeClock(NOW)
    watched = roster(clock)
    assert watched.missing("b", NOT_FOUND) is None
    clock.advance(UNKNOWN_GRACE - 1)
    assert watched.missing("b", NOT_FOUND) is None
    clock.advance(1)
    assert watched.missing("b", NOT_FOUND) == Lost("b", NOT_FOUND)


def test_a_batch_that_was_seen_before_is_deleted_only_after_a_long_grace() -> None:
    clock = FakeClock(NOW)
    watched = roster(clock)
    watched.update(YOUNG)
    assert watched.missing("b", NOT_FOUND) is None
    clock.advance(MISSING_GRACE - 1)
    assert watched.missing("b", NOT_FOUND) is None
    clock.advance(1)
    lost = watched.missing("b", NOT_FOUND)
    assert isinstance(lost, Lost)
    assert "deleted" in str(lost.error)


def test_a_404_that_passes_is_forgotten() -> None:
    clock = FakeClock(NOW)
    watched = roster(clock)
    watched.missing("b", NOT_FOUND)
    clock.advance(10)
    watched.update(YOUNG)
    clock.advance(1000)
    assert watched.missing("b", NOT_FOUND) is None


def test_an_ended_batch_without_a_results_url_is_asked_for_again_and_given_up_in_the_end() -> None:
    clock = FakeClock(NOW)
    watched = roster(clock)
    ended = msgspec.structs.replace(YOUNG, processing_status="ended")
    assert watched.update(ended) is None
    assert 0 < watched.wait() <= 5
    clock.advance(URL_GRACE)
    lost = watched.update(ended)
    assert isinstance(lost, Lost)
    assert "results_url" in str(lost.error)


def test_a_batch_that_cannot_be_asked_for_is_lost_at_once() -> None:
    watched = roster(FakeClock(NOW))
    error = ConfigurationError("b is no batch id")
    assert watched.refuse("b", error) == Lost("b", error)
    assert len(watched) == 0


def test_a_clock_of_the_server_that_runs_ahead_of_ours_does_no_harm() -> None:
    watched = roster(FakeClock(NOW))
    watched.update(msgspec.structs.replace(YOUNG, created_at=NOW + timedelta(days=3)))
    assert 10 <= watched.wait() <= 12


@pytest.mark.parametrize(
    "late",
    [
        None,
        RequestCounts(),
        RequestCounts(processing=4),
        RequestCounts(processing=1, succeeded=3),
        RequestCounts(succeeded=3),
    ],
)
def test_counts_of_an_ended_batch_that_cannot_be_its_last_are_asked_for_again(late: RequestCounts | None) -> None:
    clock = FakeClock(NOW)
    watched = roster(clock)
    watched.update(YOUNG)
    ended = msgspec.structs.replace(YOUNG, processing_status="ended", request_counts=late, results_url="/r")
    assert watched.update(ended) is None
    assert 0 < watched.wait() <= 5
    clock.advance(5)
    right = msgspec.structs.replace(ended, request_counts=RequestCounts(succeeded=4))
    assert watched.update(right) == Ended(right)


def test_counts_that_stay_as_they_are_are_handed_on_after_a_while() -> None:
    clock = FakeClock(NOW)
    watched = roster(clock)
    ended = msgspec.structs.replace(YOUNG, processing_status="ended", request_counts=None, results_url="/r")
    for _ in range(6):
        assert watched.update(ended) is None
        clock.advance(5)
    assert watched.update(ended) == Ended(ended)


def test_a_batch_that_was_asked_for_and_not_answered_about_is_not_due_at_once() -> None:
    watched = roster(FakeClock(NOW))
    watched.settle(watched.due())
    assert watched.wait() >= 10


def test_with_nothing_to_watch_there_is_nothing_to_wait_for() -> None:
    assert Roster(interval=10.0, clock=FakeClock(NOW), random=Random(1)).wait() == math.inf
