from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streamer.emulator.clock import DAY, SECOND
from streamer.emulator.lifecycle import Course, outcomes

ALL_WELL = {"succeeded": 1.0}
HOUR = 3600 * SECOND


def test_a_batch_is_in_progress_until_it_ends() -> None:
    course = Course(created=0, duration=HOUR, canceled=None, cancel_duration=0)
    assert course.status(HOUR - 1) == "in_progress"
    assert course.status(HOUR) == "ended"
    assert outcomes(10, course, ALL_WELL, 0.5).counts == {"succeeded": 10, "errored": 0, "canceled": 0, "expired": 0}


def test_what_is_not_processed_within_24_hours_expires() -> None:
    course = Course(created=0, duration=4 * DAY, canceled=None, cancel_duration=0)
    assert course.status(DAY - 1) == "in_progress"
    assert course.ends == course.expires == DAY
    assert outcomes(100, course, ALL_WELL, 0.5).counts == {"succeeded": 25, "errored": 0, "canceled": 0, "expired": 75}


def test_a_cancel_keeps_what_was_done_and_cancels_the_rest() -> None:
    course = Course(created=0, duration=HOUR, canceled=HOUR // 4, cancel_duration=5 * SECOND)
    assert course.status(HOUR // 4) == "canceling"
    assert course.status(HOUR // 4 + 5 * SECOND) == "ended"
    assert outcomes(100, course, ALL_WELL, 0.5).counts == {"succeeded": 25, "errored": 0, "canceled": 75, "expired": 0}


def test_a_cancel_just_before_the_end_cancels_nothing() -> None:
    course = Course(created=0, duration=HOUR, canceled=HOUR - SECOND, cancel_duration=5 * SECOND)
    assert course.status(HOUR - 1) == "canceling"
    assert course.ends == HOUR
    assert outcomes(100, course, ALL_WELL, 0.5).counts["canceled"] == 0


@given(
    total=st.integers(0, 3000),
    canceled=st.none() | st.integers(0, DAY),
    duration=st.integers(1, 3 * DAY),
    phase=st.floats(0, 1, exclude_max=True),
    weights=st.lists(st.integers(0, 10), min_size=4, max_size=4).filter(any),
)
def test_the_types_of_all_requests_add_up_to_the_counts(
    total: int, canceled: int | None, duration: int, phase: float, weights: list[int]
) -> None:
    names = ("succeeded", "errored", "canceled", "expired")
    mix = {name: weight / sum(weights) for name, weight in zip(names, weights, strict=True)}
    found = outcomes(total, Course(0, duration, canceled, SECOND), mix, phase)
    assert min(found.counts.values()) >= 0
    assert sum(found.counts.values()) == total
    assert Counter(found.type_at(position) for position in range(total)) == Counter(found.counts)


def test_a_small_share_shows_up_in_some_of_many_small_batches() -> None:
    course = Course(0, 1, None, 0)
    errored = [
        outcomes(5, course, {"succeeded": 0.9, "errored": 0.1}, step / 20).counts["errored"] for step in range(20)
    ]
    assert sum(errored) == 10
