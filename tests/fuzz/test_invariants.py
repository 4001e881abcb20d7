"""The invariants that are fuzzed for hours elsewhere, for a moment with hypothesis: any bytes, any chunks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import DICTIONARY, SEEDS
from tests.fuzz.invariants import check

PARTS = st.sampled_from(
    [*SEEDS, *DICTIONARY, b"\n", b"{", b"}", b'"', b"[", b"]", b" ", b"\xff", b"9" * 5000, b"[" * 2000]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PARTS | st.binary(max_size=20), max_size=12).map(b"".join),
    st.lists(st.integers(0, 5000), max_size=6),
    st.sampled_from([1, 7, 60, 500, 1 << 20]),
)
def test_no_byte_is_lost_and_nothing_but_our_own_errors_comes_out(
    data: bytes, cuts: list[int], max_record_bytes: int
) -> None:
    check(data, cuts, max_record_bytes)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_shape_byte_by_byte(seed: bytes) -> None:
    check(seed, list(range(len(seed))), 1 << 20)
