"""Slices: in order, nothing left out, none above a limit, and no fewer would do."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.defaults import MAX_BYTES, MAX_REQUESTS
from streamer.requests.slices import Slice, split
from streamer.requests.spool import read_spool
from tests.requests.samples import jsonl, prepared, request

LENGTHS = st.lists(st.integers(1, 50))


@given(LENGTHS, st.integers(1, 8), st.integers(64, 200))
def test_every_line_is_in_one_slice_and_no_slice_is_above_a_limit(
    lengths: list[int], most: int, max_bytes: int
) -> None:
    slices = list(split(lengths, max_requests=most, max_bytes=max_bytes))

    assert sum(one.requests for one in slices) == len(lengths)
    ends = [sum(lengths[:count]) for count in range(len(lengths) + 1)]
    bounds = [0] + [one.end for one in slices]
    assert [one.start for one in slices] == bounds[:-1]
    assert bounds[-1] == ends[-1]
    assert set(bounds) <= set(ends), "a slice ends within a line"
    for one in slices:
        assert 1 <= one.requests <= most
        assert one.body_bytes <= max_bytes


@given(LENGTHS, st.integers(1, 8), st.integers(64, 200))
def test_no_slice_has_room_for_the_next_request(lengths: list[int], most: int, max_bytes: int) -> None:
    slices = list(split(lengths, max_requests=most, max_bytes=max_bytes))
    taken = 0
    for one, after in pairwise(slices):
        taken += one.requests
        longer = Slice(one.start, one.end + lengths[taken], one.requests + 1)
        assert longer.requests > most or longer.body_bytes > max_bytes
        assert after.start == one.end


def test_the_limits_are_the_apis() -> None:
    assert [one.requests for one in split([100] * 250_000)] == [100_000, 100_000, 50_000]
    assert (MAX_REQUESTS, MAX_BYTES) == (100_000, 268_435_456)
    third = (MAX_BYTES - 15) // 2
    assert [one.requests for one in split([third] * 3)] == [2, 1]


def test_a_body_may_have_exactly_as_many_bytes_as_are_allowed() -> None:
    line = b'{"custom_id":"a","params":{}}\n'
    body = b'{"requests":[' + line[:-1] + b"," + line[:-1] + b"]}"
    assert len(list(split([len(line)] * 2, max_bytes=len(body)))) == 1
    assert len(list(split([len(line)] * 2, max_bytes=len(body) - 1))) == 2


def test_a_line_that_fits_no_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="fits no batch"):
        list(split([10, 100], max_bytes=64))


def test_a_slice_of_a_spool_is_the_body_of_its_batch(tmp_path: Path) -> None:
    requests = [request(f"r-{number}", system="x" * number) for number in range(50)]
    spool = prepared(tmp_path, jsonl(*requests), max_requests=15, max_bytes=2500)

    assert {part.requests == 15 for part in spool.slices} == {True, False}, "one limit alone was met"
    sent = []
    for part in spool.slices:
        lines = [line for _, line in read_spool(spool.path, part)]
        body = b'{"requests":[' + b",".join(lines) + b"]}"
        assert len(body) == part.body_bytes <= 2500
        assert len(lines) == part.requests <= 15
        sent += json.loads(body)["requests"]
    assert sent == requests


def test_a_spool_that_was_cut_off_is_not_read_as_if_it_were_whole(tmp_path: Path) -> None:
    spool = prepared(tmp_path, jsonl(request("a"), request("b")))
    spool.path.write_bytes(spool.path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"no request in .* ends at byte"):
        list(read_spool(spool.path, spool.slices[0]))
