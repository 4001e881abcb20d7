"""Which batch an unknown create made: never one that it cannot be, and never nothing where there may be one."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streamer.api.types import Batch, BatchPage, RequestCounts
from streamer.requests.slices import Slice
from streamer.submission.candidates import (
    CLOCK_SLACK,
    SERVER_SLACK,
    TAKES,
    Proof,
    can_be,
    in_time,
    may_be,
    there_before,
)
from streamer.submission.ledger import Planned, State

NOW = 1_790_000_000.0


def intent(*, since: float | None = NOW, at: float = NOW, requests: int = 5) -> Planned:
    part = Slice(0, 100, requests)
    return Planned(1, 1, "requests.jsonl", part, State.INTENDED, intended_at=at, since=since)


def batch(batch_id: str = "msgbatch_1", *, created: float = NOW, requests: int = 5) -> Batch:
    counts = RequestCounts(processing=requests)
    return Batch(batch_id, "in_progress", counts, created_at=datetime.fromtimestamp(created, UTC))


def test_a_batch_of_the_servers_time_and_the_right_size_can_be_it() -> None:
    assert can_be(batch(created=NOW + 5), intent(), ())
    assert can_be(batch(created=NOW), intent(), ())
    assert not can_be(batch(created=NOW - 1), intent(), ())
    assert not can_be(batch(requests=6), intent(), ())
    assert not can_be(batch("msgbatch_known"), intent(), {"msgbatch_known"})


def test_our_own_clock_does_not_count_where_the_servers_is_known() -> None:
    hours_ahead = intent(since=NOW, at=NOW + 20_000)
    assert can_be(batch(created=NOW + 1), hours_ahead, ())


def test_where_only_our_clock_is_known_it_may_be_a_quarter_of_an_hour_ahead() -> None:
    ours = intent(since=None)
    assert can_be(batch(created=NOW - CLOCK_SLACK), ours, ())
    assert not can_be(batch(created=NOW - CLOCK_SLACK - 1), ours, ())


def test_what_was_created_an_hour_later_is_nobodys_guess() -> None:
    assert in_time(batch(created=NOW + TAKES), intent())
    assert not in_time(batch(created=NOW + TAKES + 1), intent())
    assert in_time(batch(created=NOW + TAKES), intent(at=NOW - 20_000))  # our clock is hours behind
    assert in_time(batch(created=NOW + TAKES), intent(since=None))


def test_what_was_in_the_list_before_the_create_can_never_be_it() -> None:
    page = BatchPage([batch("msgbatch_2"), batch("msgbatch_1", created=NOW - 5), batch("other", requests=6)])
    since, before = there_before(page, intent())
    assert (since, before) == (NOW - SERVER_SLACK, ["msgbatch_2", "msgbatch_1"])


@given(st.lists(st.floats(0, 200), min_size=1, max_size=20), st.integers(1, 20))
def test_whatever_was_there_is_none_of_it_and_whatever_comes_later_may_be(ages: list[float], limit: int) -> None:
    listed = [batch(f"msgbatch_{n}", created=NOW - age) for n, age in enumerate(sorted(ages))]
    since, before = there_before(BatchPage(listed[:limit], has_more=len(listed) > limit), intent())
    ours = msgspec.structs.replace(intent(), since=since, before=tuple(before))
    may_be_it = [one.created_at for one in listed if can_be(one, ours, ())]
    assert all(created_at == listed[limit - 1].created_at for created_at in may_be_it)  # a tie with the page's last
    assert can_be(batch("new", created=NOW + 1 - min(ages)), ours, ())


def test_in_an_empty_workspace_whatever_comes_may_be_it_and_where_no_times_are_told_our_clock_counts() -> None:
    assert there_before(BatchPage([]), intent()) == (0.0, [])
    assert there_before(BatchPage([Batch("msgbatch_1", "ended", RequestCounts())]), intent()) == (None, [])


PROOFS = st.dictionaries(st.text(min_size=1), st.sampled_from(Proof))


@given(PROOFS)
def test_what_is_proved_foreign_is_never_taken_and_what_may_be_ours_never_dropped(proofs: dict[str, Proof]) -> None:
    found = may_be(proofs)
    assert all(proofs[batch_id] is not Proof.FOREIGN for batch_id in found)
    assert bool(found) == any(proof is not Proof.FOREIGN for proof in proofs.values())


@given(PROOFS)
def test_a_batch_with_our_requests_outweighs_those_that_tell_nothing(proofs: dict[str, Proof]) -> None:
    ours = [batch_id for batch_id, proof in proofs.items() if proof is Proof.OURS]
    if ours:
        assert may_be(proofs) == ours
