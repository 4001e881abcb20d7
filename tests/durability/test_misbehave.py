"""A few rounds of what `python -m tests.durability.misbehave` does two hundred times."""

from __future__ import annotations

import pytest

from tests.durability.misbehave import misbehave


@pytest.mark.parametrize("seed", [1, 20261128])
def test_nothing_is_reported_that_user_code_which_misbehaves_did_not_take(seed: int) -> None:
    result = misbehave(8, seed)
    assert result.faults == []
    assert sum(result.mischief.values()) > 0
