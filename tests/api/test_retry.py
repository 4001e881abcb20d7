"""What is tried again, after how long, and how often."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.api.retry import (
    SPEND_LIMIT_CODES,
    Failure,
    Operation,
    RetryPolicy,
    decide,
    may_repeat,
    retry_after,
    should_retry,
)

READS = (Operation.RETRIEVE, Operation.LIST, Operation.RESULTS)
SAFE = (*READS, Operation.CANCEL, Operation.DELETE)
NOW = datetime(2026, 1, 1, tzinfo=UTC)

failures = st.builds(
    Failure,
    status=st.none() | st.integers(100, 599),
    by_api=st.booleans(),
    error_code=st.sampled_from(["", *SPEND_LIMIT_CODES]),
    should_retry=st.none() | st.booleans(),
    retry_after=st.none() | st.floats(0, 1e12),
    sent=st.booleans(),
    lasting=st.booleans(),
)


def waits(failure: Failure, operation: Operation, *, jitter: float = 1.0) -> list[float]:
    """The waits of a request that fails in the same way for ever, attempts taking no time."""
    found: list[float] = []
    for attempt in count(1):
        wait = decide(
            RetryPolicy(),
            failure,
            operation=operation,
            attempt=attempt,
            elapsed=sum(found),
            jitter=jitter,
        )
        if wait is None:
            return found
        found.append(wait)
    raise AssertionError


def test_where_nobody_ever_answered_it_is_said_within_seconds() -> None:
    assert waits(Failure(sent=False, reached=False), Operation.LIST) == [1, 2, 4, 3]
    assert waits(Failure(sent=True, reached=False), Operation.LIST) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_an_outage_is_waited_out_for_minutes_with_growing_waits() -> None:
    assert waits(Failure(status=503), Operation.RETRIEVE) == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert waits(Failure(sent=False), Operation.LIST) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529, 599])
def test_statuses_that_pass(status: int) -> None:
    for operation in SAFE:
        assert may_repeat(Failure(status=status), operation)


@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 405, 410, 413, 416, 422])
def test_statuses_that_do_not(status: int) -> None:
    for operation in Operation:
        assert not may_repeat(Failure(status=status), operation)


def test_a_conflict_is_an_answer_to_cancel_and_delete_only() -> None:
    assert [operation for operation in SAFE if may_repeat(Failure(status=409), operation)] == list(READS)


def test_the_servers_own_word_wins() -> None:
    assert may_repeat(Failure(status=400, should_retry=True), Operation.RETRIEVE)
    assert not may_repeat(Failure(status=500, should_retry=False), Operation.RETRIEVE)
    assert not may_repeat(Failure(status=529, should_retry=False), Operation.CREATE)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_never_tried_again(status: int) -> None:
    for operation in Operation:
        assert not may_repeat(Failure(status=status, should_retry=True), operation)


@pytest.mark.parametrize("code", sorted(SPEND_LIMIT_CODES))
def test_a_spend_limit_is_never_tried_again(code: str) -> None:
    for operation in Operation:
        assert not may_repeat(Failure(status=429, error_code=code, should_retry=True, retry_after=1), operation)


@pytest.mark.parametrize(
    ("failure", "repeated"),
    [
        (Failure(sent=False), True),
        (Failure(sent=False, lasting=True), False),
        (Failure(sent=True), False),
        (Failure(status=429), True),
        (Failure(status=529), True),
        (Failure(status=503), True),
        (Failure(status=503, by_api=False), False),
        (Failure(status=503, by_api=False, sent=False), True),
        (Failure(status=500), False),
        (Failure(status=500, should_retry=True), False),
        (Failure(status=504), False),
        (Failure(status=408), False),
        (Failure(status=409), False),
        (Failure(status=404), False),
        (Failure(status=200), False),
    ],
)
def test_a_create_is_repeated_only_when_it_took_no_effect(failure: Failure, repeated: bool) -> None:
    assert may_repeat(failure, Operation.CREATE) is repeated


def test_a_full_queue_is_not_sent_the_same_body_again_and_again() -> None:
    assert len(waits(Failure(status=429), Operation.CREATE)) == 2
    assert len(waits(Failure(status=529), Operation.CREATE)) == 9


def test_a_missing_batch_is_looked_for_for_a_while_and_its_results_for_longer() -> None:
    missing = Failure(status=404)
    for jitter in (0.0, 0.5, 1.0):
        assert sum(waits(missing, Operation.RETRIEVE, jitter=jitter)) == pytest.approx(15)
        assert sum(waits(missing, Operation.RESULTS, jitter=jitter)) == pytest.approx(60)
    for operation in (Operation.POLL, Operation.LIST, Operation.CANCEL, Operation.DELETE, Operation.CREATE):
        assert waits(missing, operation) == []


def test_a_page_instead_of_an_answer_is_asked_for_a_few_times() -> None:
    assert len(waits(Failure(status=200, by_api=False), Operation.RESULTS)) == 2


def test_the_server_is_not_asked_before_it_wants_to_be() -> None:
    for jitter in (0.0, 1.0):
        assert 7 <= waits(Failure(status=429, retry_after=7), Operation.LIST, jitter=jitter)[0] <= 8
    assert waits(Failure(status=429, retry_after=1e9), Operation.LIST, jitter=0.0) == [120.0] * 9


@given(failures, st.sampled_from(Operation), st.floats(0, 1))
def test_whatever_fails_ends(failure: Failure, operation: Operation, jitter: float) -> None:
    found = waits(failure, operation, jitter=jitter)
    assert len(found) <= 9
    assert all(0 <= wait <= 121 for wait in found)


@given(failures)
def test_a_create_that_may_have_worked_is_never_repeated(failure: Failure) -> None:
    if failure.status in (200, 500, 502, 504) or (failure.status is None and failure.sent):
        assert not may_repeat(failure, Operation.CREATE)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "10"}, 10.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:01:00 GMT"}, 60.0),
        ({"retry-after": "Thu, 01 Jan 2025 00:01:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:01:00 -0000"}, None),
        ({"retry-after": "1000000000"}, 1e9),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Thu, 99 Jan 99999 00:01:00 GMT"}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(st.text())
def test_garbage_in_retry_after_does_no_harm(text: str) -> None:
    seconds = retry_after({"retry-after": text}, NOW)
    assert seconds is None or seconds >= 0


def test_x_should_retry() -> None:
    assert should_retry({"x-should-retry": "true"}) is True
    assert should_retry({"x-should-retry": "False"}) is False
    assert should_retry({"x-should-retry": "perhaps"}) is None
    assert should_retry({}) is None
