"""The limits that always hold, at sizes that take seconds; see README.md for the full sizes."""

from __future__ import annotations

from pathlib import Path

from tests.scale.scenarios import large_batch, long_record, many_batches, process_file


def test_many_batches_cost_no_more_memory_than_a_few_and_no_request_too_many(tmp_path: Path) -> None:
    many_batches(tmp_path, few=5, many=60, records=200, steps=8, seed=1)


def test_a_record_of_40_mb_is_never_held_whole(tmp_path: Path) -> None:
    long_record(tmp_path, size=40_000_000, seed=2)


def test_a_batch_of_200_mb_is_not_held_either(tmp_path: Path) -> None:
    large_batch(tmp_path, records=10_000, record_bytes=20_000, seed=3)


def test_requests_go_through_process_in_as_many_batches_as_it_takes(tmp_path: Path) -> None:
    process_file(tmp_path, requests=2_500, request_bytes=2_000, batches=3, most=1_000, seed=4)
