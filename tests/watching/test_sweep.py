"""The plan of a round, against a workspace held in a list: how many requests, and is everyone answered for."""

from __future__ import annotations

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.api.types import PAGE_LIMIT, Batch, BatchPage
from streamer.watching.sweep import Page, Place, Single, Sweep
from tests.watching.plainsweep import PlainSweep


class Workspace:
    """Batches newest first, and a count of what was asked."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        self.requests = 0

    def page(self, after_id: str | None, limit: int = PAGE_LIMIT) -> BatchPage | None:
        if after_id is not None and after_id not in self.ids:
            return None
        start = 0 if after_id is None else self.ids.index(after_id) + 1
        chosen = self.ids[start : start + limit]
        return BatchPage(
            data=[Batch(id=i, processing_status="in_progress") for i in chosen],
            has_more=start + limit < len(self.ids),
            first_id=chosen[0] if chosen else None,
            last_id=chosen[-1] if chosen else None,
        )

    def round(self, sweep: Sweep, due: list[str], limit: int = PAGE_LIMIT) -> tuple[int, set[str]]:
        """Run one round; how many requests it took, and who was answered for."""
        answered: set[str] = set()
        sweep.begin(due)
        sent = 0
        while wave := sweep.wave():
            for request in wave:
                sent += 1
                if isinstance(request, Single):
                    sweep.answered(request, None)
                    answered.add(request.batch_id)
                else:
                    page = self.page(request.after_id, limit)
                    sweep.answered(request, page)
                    answered.update(batch.id for batch in page.data if page is not None) if page else None
        return sent, answered & set(due)


def ids(prefix: str, n: int) -> list[str]:
    return [f"{prefix}{i:06d}" for i in range(n)]


def test_2000_newest_batches_cost_two_pages_a_round_whatever_lies_behind_them() -> None:
    mine = ids("mine", 2000)
    workspace = Workspace(mine + ids("old", 100_000))
    sweep = Sweep()
    for _ in range(3):
        sent, answered = workspace.round(sweep, mine)
        assert (sent, len(answered)) == (2, 2000)


def test_new_batches_of_others_in_front_cost_one_page_more() -> None:
    mine = ids("mine", 2000)
    workspace = Workspace(mine + ids("old", 5000))
    sweep = Sweep()
    workspace.round(sweep, mine)
    for n in range(5):
        workspace.ids[:0] = ids(f"new{n}-", 7)
        sent, answered = workspace.round(sweep, mine)
        assert sent <= 3
        assert len(answered) == 2000


def test_a_lone_old_batch_costs_one_retrieve_and_the_cluster_one_page() -> None:
    cluster, lone = ids("mine", 500), "lone"
    workspace = Workspace([*cluster, *ids("old", 3000), lone, *ids("older", 3000)])
    sweep = Sweep()
    workspace.round(sweep, [*cluster, lone])
    sent, answered = workspace.round(sweep, [*cluster, lone])
    assert sent == 2
    assert answered == {*cluster, lone}


def test_one_or_two_batches_are_retrieved_and_nothing_is_listed() -> None:
    sweep = Sweep()
    sweep.begin(["a", "b"])
    assert sweep.wave() == [Single("a"), Single("b")]


def test_batches_hidden_behind_a_crowd_cost_at_most_twice_the_retrieves_once_then_one_each() -> None:
    mine = ids("mine", 5)
    workspace = Workspace(ids("crowd", 50_000) + mine)
    sweep = Sweep()
    first, answered = workspace.round(sweep, mine)
    assert first <= 10
    assert answered == set(mine)
    assert workspace.round(sweep, mine)[0] == 5


def test_a_deleted_cursor_does_not_lose_the_batches_behind_it() -> None:
    mine = ids("mine", 10)
    workspace = Workspace([*ids("new", 1500), "cursor", *mine])
    sweep = Sweep()
    workspace.round(sweep, mine)
    workspace.ids.remove("cursor")
    sent, answered = workspace.round(sweep, mine)
    assert answered == set(mine)
    assert sent <= 11


def test_ids_that_are_nowhere_are_asked_for_alone_so_that_the_server_can_say_so() -> None:
    sweep = Sweep()
    sent, _ = Workspace(ids("old", 10)).round(sweep, ["x1", "x2", "x3"])
    assert sent == 4  # one page, then three retrieves


def test_the_newest_page_is_asked_for_from_the_start() -> None:
    sweep = Sweep()
    sweep.begin(ids("mine", 3))
    assert sweep.wave() == [Page(None)]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    total=st.integers(1, 6000),
    watched=st.integers(1, 60),
    changes=st.integers(0, 30),
)
def test_every_due_batch_is_answered_for_in_every_round_whatever_others_do(
    seed: int, total: int, watched: int, changes: int
) -> None:
    rng = random.Random(seed)
    workspace = Workspace(ids("b", total))
    mine = rng.sample(workspace.ids, min(watched, total))
    sweep = Sweep()
    for n in range(4):
        due = [i for i in mine if rng.random() < 0.8]
        sent, answered = workspace.round(sweep, due)
        assert answered == set(due)
        assert sent <= 2 * len(due) + 1
        for _ in range(changes):
            victim = rng.choice(workspace.ids)
            if victim not in mine:
                workspace.ids.remove(victim)
        workspace.ids[:0] = ids(f"n{n}-", rng.randrange(3) * changes)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), total=st.integers(1, 6000), watched=st.integers(1, 400), refused=st.floats(0, 0.2))
def test_the_plan_is_that_of_the_plain_way(seed: int, total: int, watched: int, refused: float) -> None:
    rng = random.Random(seed)
    workspace = Workspace(ids("b", total))
    mine = rng.sample(workspace.ids, min(watched, total)) + ids("nowhere", rng.randrange(3))
    sweep, plain = Sweep(), PlainSweep()
    for n in range(5):
        due = [i for i in mine if rng.random() < 0.8]
        sweep.begin(due)
        plain.begin(due)
        while wave := sweep.wave():
            assert wave == plain.wave()
            for request in wave:
                page = None if isinstance(request, Single) else workspace.page(request.after_id)
                if rng.random() < refused:
                    page = None
                for one in (sweep, plain):
                    one.answered(request, page)
        assert plain.wave() == []
        for gone in rng.sample(mine, min(len(mine), rng.randrange(5))):
            mine.remove(gone)
            for one in (sweep, plain):
                one.forget(gone)
        workspace.ids = [i for i in workspace.ids if i in mine or rng.random() < 0.95]
        workspace.ids[:0] = ids(f"n{n}-", rng.randrange(1500))


def test_a_gateway_whose_pages_are_smaller_costs_as_many_pages_as_it_takes() -> None:
    mine = ids("mine", 500)
    workspace = Workspace([*mine, *ids("old", 3000)])
    sweep = Sweep()
    for _ in range(3):
        sent, answered = workspace.round(sweep, mine, limit=100)
        assert answered == set(mine)
        assert sent == 5


def test_the_cost_of_a_plan_grows_with_the_batches_and_not_with_their_square() -> None:
    def seconds(number: int) -> float:
        apart = [f"{i:06d}" for i in range(number)]
        sweep = Sweep()
        sweep._places = {batch_id: Place(PAGE_LIMIT * n, None) for n, batch_id in enumerate(apart)}
        sweep.begin(apart)
        begun = time.process_time()
        assert len(sweep.wave()) == number
        return time.process_time() - begun

    small, large = (min(seconds(number) for _ in range(3)) for number in (2_000, 16_000))
    assert large < 30 * small  # the square would be 64 times as much
