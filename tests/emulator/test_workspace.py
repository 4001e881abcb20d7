import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.emulator.clock import DAY, SECOND
from streamer.emulator.errors import Refusal
from streamer.emulator.literal import LiteralWorkspace
from streamer.emulator.settings import Settings
from streamer.emulator.workspace import Created, Workspace, limit_of

START = 20_000 * DAY


def workspace(name: str = "", **switches: object) -> Workspace:
    return Workspace(Settings(**switches), name, START)  # type: ignore[arg-type]  # any switch


def ids(of: Workspace, now: int = START) -> list[str]:
    return [state.id for state in of.page(1000, None, None, now).states]


def create(of: Workspace, now: int = START, total: int = 4, invalid: int = 0) -> str:
    return of.create(Created(now, total, invalid, [])).id


def refused(call: object, *args: object) -> int:
    assert callable(call)
    with pytest.raises(Refusal) as caught:
        call(*args)
    return caught.value.status


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 10), st.sets(st.integers(0, 30)), st.integers(0, 5))
def test_pages_forward_and_back_hold_every_batch_once_newest_first(
    ended: int, fill: int, limit: int, deleted: set[int], created: int
) -> None:
    many = workspace(fill_ended=ended, fill=fill, duration=1)
    for number in range(created):
        create(many, START + number)
    now = START + DAY
    for place, batch_id in enumerate(ids(many, now)):
        if place in deleted:
            many.delete(batch_id, now)
    everything = ids(many, now)

    forward: list[str] = []
    page = many.page(limit, None, None, now)
    while True:
        forward += [state.id for state in page.states]
        if not page.has_more:
            break
        page = many.page(limit, forward[-1], None, now)
    assert forward == everything
    times = [many.get(batch_id, now).course.created for batch_id in forward]
    assert times == sorted(times, reverse=True)

    if everything:
        back = [everything[-1]]
        more = True
        while more:
            page = many.page(limit, None, back[0], now)
            back = [state.id for state in page.states] + back
            more = page.has_more
        assert back == everything


def test_older_batches_have_ended_and_the_filled_ones_end_one_by_one() -> None:
    some = workspace(fill_ended=3, fill=10, duration=60)
    assert [state.status for state in some.page(20, None, None, START).states] == ["in_progress"] * 10 + ["ended"] * 3
    ended = [
        sum(state.ended for state in some.page(10, None, None, START + second * SECOND).states)
        for second in (29, 45, 60, 91)
    ]
    assert ended[0] == 0 < ended[1] < ended[2] < ended[3] == 10


def test_everything_is_processing_until_the_batch_ends() -> None:
    one = workspace(duration=60, mix="succeeded=0.5,errored=0.5")
    batch_id = create(one, total=10, invalid=2)
    assert one.get(batch_id, START + SECOND).counts == {
        "processing": 10, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0,
    }  # fmt: skip
    assert one.get(batch_id, START + DAY).counts == {
        "processing": 0, "succeeded": 4, "errored": 6, "canceled": 0, "expired": 0,
    }  # fmt: skip


def test_cancel_then_partial_results() -> None:
    one = workspace(duration=100, duration_spread=0, cancel_duration=5)
    batch_id = create(one, total=10)
    now = START + 50 * SECOND
    state = one.cancel(batch_id, now)
    assert (state.status, state.course.canceled, state.counts["processing"]) == ("canceling", now, 10)
    assert one.cancel(batch_id, now + SECOND).course.canceled == now
    ended = one.get(batch_id, now + 5 * SECOND)
    assert ended.ended
    assert ended.counts == {"processing": 0, "succeeded": 5, "errored": 0, "canceled": 5, "expired": 0}
    assert refused(one.cancel, batch_id, START + DAY) == 400


def test_only_an_ended_batch_can_be_deleted_and_then_it_is_gone() -> None:
    one = workspace(duration=60)
    batch_id = create(one)
    assert refused(one.delete, batch_id, START) == 400
    one.delete(batch_id, START + DAY)
    for call in (one.get, one.cancel, one.delete, one.with_results):
        assert refused(call, batch_id, START + DAY) == 404


def test_a_deleted_batch_still_serves_as_a_cursor() -> None:
    some = workspace(fill_ended=4)
    first, second, third, fourth = ids(some)
    some.delete(second, START)
    assert [state.id for state in some.page(20, second, None, START).states] == [third, fourth]
    assert [state.id for state in some.page(20, None, second, START).states] == [first]


def test_results_are_there_from_the_end_for_29_days_after_creation() -> None:
    one = workspace(duration=60)
    batch_id = create(one)
    assert refused(one.with_results, batch_id, START) == 400
    assert one.with_results(batch_id, START + 29 * DAY - 1).id == batch_id
    assert refused(one.with_results, batch_id, START + 29 * DAY) == 404
    assert one.get(batch_id, START + 29 * DAY).archived


def test_another_workspace_has_other_batches() -> None:
    ours, theirs = workspace("ours", fill=3), workspace("theirs", fill=3)
    assert not set(ids(ours)) & set(ids(theirs))
    assert refused(theirs.get, ids(ours)[0], START) == 404


def test_the_statuses_nobody_knows_are_switches() -> None:
    one = workspace(
        duration=60,
        cancel_canceling_status=409,
        cancel_ended_status=200,
        delete_unended_status=409,
        results_unended_status=404,
        results_archived_status=410,
        cursor_unknown_status=404,
    )
    batch_id = create(one)
    assert refused(one.delete, batch_id, START) == 409
    assert refused(one.with_results, batch_id, START) == 404
    one.cancel(batch_id, START)
    assert refused(one.cancel, batch_id, START) == 409
    assert one.cancel(batch_id, START + DAY).ended
    assert refused(one.with_results, batch_id, START + 30 * DAY) == 410
    assert refused(one.page, 20, "msgbatch_nowhere", None, START) == 404


def test_both_cursors_and_the_order_before_a_cursor_are_switches() -> None:
    some = workspace(fill_ended=5)
    newest_first = ids(some)
    assert refused(some.page, 2, newest_first[0], newest_first[4], START) == 400
    other = workspace(fill_ended=5, cursor_both_status=200, before_id_order="oldest")
    assert [state.id for state in other.page(2, newest_first[0], newest_first[4], START).states] == newest_first[1:3]
    assert [state.id for state in other.page(2, None, newest_first[3], START).states] == newest_first[2:0:-1]


@pytest.mark.parametrize(("text", "limit"), [(None, 20), ("1", 1), ("1000", 1000)])
def test_limits(text: str | None, limit: int) -> None:
    assert limit_of(text) == limit


@pytest.mark.parametrize("text", ["0", "-1", "1001", "ten", "", "1.5"])
def test_limits_out_of_range(text: str) -> None:
    assert refused(limit_of, text) == 400


def test_literal_ids_are_answered_only_by_the_workspace_made_for_it() -> None:
    assert refused(workspace().get, "message_batch_id", START) == 404
    literal = LiteralWorkspace(Settings(fill_ended=2), "", START)
    assert literal.get("message_batch_id", START).ended
    assert literal.with_results("message_batch_id", START).total == 3
    assert literal.cancel("message_batch_id", START).status == "canceling"
    assert literal.delete("message_batch_id", START).id == literal.delete("message_batch_id", START).id
    assert len(literal.page(20, "after_id", "before_id", START).states) == 2
    assert refused(literal.get, "msgbatch_" + "1" * 24, START) == 404
    known = ids(literal)[0]
    assert literal.delete(known, START).id == known
    assert refused(literal.cancel, known, START) == 404
