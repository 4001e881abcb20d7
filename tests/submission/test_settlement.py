"""Which batch an unknown create made: never one that it cannot be, and never nothing where there may be one."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from streamer.api.types import Batch, RequestCounts
from streamer.requests import Slice
from streamer.submission.ledger import Planned, State
from streamer.submission.settlement import CLOCK_SLACK, SERVER_SLACK, Proof, can_be, may_be

NOW = 1_790_000_000.0


def intent(*, since: float | None = NOW, at: float = NOW, requests: int = 5) -> Planned:
    part = Slice(0, 100, requests)
    return Planned(1, 1, "requests.jsonl", part, State.INTENDED, intended_at=at, since=since)


def batch(batch_id: str = "msgbatch_1", *, created: float = NOW, requests: int = 5) -> Batch:
    counts = RequestCounts(processing=requests)
    return Batch(batch_id, "in_progress", counts, created_at=datetime.fromtimestamp(created, UTC))


def test_a_batch_of_the_servers_time_and_the_right_size_can_be_it() -> None:
    assert can_be(batch(created=NOW + 5), intent(), ())
    assert can_be(batch(created=NOW - SERVER_SLACK), intent(), ())
    assert not can_be(batch(created=NOW - SERVER_SLACK - 1), intent(), ())
    assert not can_be(batch(requests=6), intent(), ())
    assert not can_be(batch("msgbatch_known"), intent(), {"msgbatch_known"})


def test_our_own_clock_does_not_count_where_the_servers_is_known() -> None:
    hours_ahead = intent(since=NOW, at=NOW + 20_000)
    assert can_be(batch(created=NOW + 1), hours_ahead, ())


def test_where_only_our_clock_is_known_it_may_be_a_quarter_of_an_hour_ahead() -> None:
    ours = intent(since=None)
    assert can_be(batch(created=NOW - CLOCK_SLACK), ours, ())
    assert not can_be(batch(created=NOW - CLOCK_SLACK - 1), ours, ())


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
