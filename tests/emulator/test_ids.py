import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.emulator.ids import BatchIds, token, unit


@given(st.integers(0, 2**31), st.integers(), st.text(max_size=20))
def test_a_number_comes_back_from_its_id(number: int, seed: int, workspace: str) -> None:
    ids = BatchIds(seed, workspace)
    made = ids.id(number)
    assert re.fullmatch("msgbatch_01[1-9A-HJ-NP-Za-km-z]{22}", made)
    assert ids.number(made) == number


def test_ids_differ_and_do_not_look_counted() -> None:
    ids = BatchIds(0, "")
    made = [ids.id(number) for number in range(2000)]
    assert len(set(made)) == 2000
    assert len({one[-4:] for one in made}) > 1000


def test_another_workspace_does_not_know_an_id() -> None:
    number = BatchIds(0, "theirs").number(BatchIds(0, "ours").id(3))
    assert number is not None
    assert number > 10**9


@pytest.mark.parametrize(
    "wrong", ["", "msgbatch_", "msgbatch_01", "msgbatch_01" + "0" * 22, "x" * 500, "msgbatch_01é" + "1" * 21]
)
def test_what_is_no_id_has_no_number(wrong: str) -> None:
    assert BatchIds(0, "").number(wrong) is None


def test_tokens_and_units_depend_on_every_number() -> None:
    assert len({token("req_", first, second) for first in range(20) for second in range(20)}) == 400
    assert all(0 <= unit(number) < 1 for number in range(1000))
    assert 0.45 < sum(unit(7, number) for number in range(1000)) / 1000 < 0.55
