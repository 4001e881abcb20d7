"""A download that breaks off, stalls, or is cut without a word: it goes on, nothing is lost and nothing comes twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamer.delivery.redownloads import FRUITLESS_DOWNLOADS
from streamer.report import Outcome
from tests.durability.harness import IMPATIENT, Ran, Truth, through


async def test_two_hundred_cuts_at_random_bytes(crowd: Truth, tmp_path: Path) -> None:
    ran = await through(crowd, tmp_path, "fin@random,n=1,per=batch", "rst@random,after=1,n=1,per=batch", seed=7)
    ran.assert_exact()
    assert ran.struck == 200
    assert {batch.downloads for batch in ran.batches.values()} == {3}


@pytest.mark.parametrize(
    "fault",
    [
        "fin@0",
        "fin@1",
        "rst@1",
        "fin@50%;at=boundary",
        "fin@50%;at=inside",
        "rst@50%",
        "fin@100%",
        "fin@head",
        "no_final_chunk",
        "length=+0",
        "length=+9",
        "length=-9",
        "close_delimited@50%;at=boundary",
        "close_delimited@50%;at=inside",
        "gzip_cut@50%",
        "gzip_cut@99%",
        "zstd_cut@50%",
        "stall@50%",
        "stall@head",
    ],
)
async def test_what_breaks_off_goes_on(truth: Truth, tmp_path: Path, fault: str) -> None:
    also = "fin@50%,n=1,per=batch" if fault == "length=+0" else "slice=30000"  # a known length, cut
    options = {"timeouts": IMPATIENT} if fault.startswith("stall") else {}
    ran = await through(truth, tmp_path, f"{fault},n=1,per=batch", also, client=options)
    ran.assert_exact()
    assert ran.stats["faults"][f"{fault},n=1,per=batch"] == 3


async def test_each_break_is_one_warning_that_says_how_far_it_came(
    truth: Truth, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ran = await through(truth, tmp_path, "fin@50%,n=1")
    ran.assert_exact()
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    said = warning.getMessage()
    assert said.startswith(tuple(truth.ids))
    assert re.search(r"got \d+ of 100 records .* after [\d,]+ bytes", said)


@pytest.mark.parametrize("fault", ["close_delimited@50%;at=boundary", "close_delimited@50%;at=inside"])
async def test_a_cut_that_nothing_gives_away_is_never_a_whole_batch(truth: Truth, tmp_path: Path, fault: str) -> None:
    ran = await through(truth, tmp_path, fault)
    for batch_id, body in truth.bodies.items():
        assert ran.batches[batch_id].outcome is Outcome.INCOMPLETE
        assert re.match(r"got \d+ of 100 records", ran.batches[batch_id].error)
        kept = ran.kept(batch_id)
        assert body.startswith(kept)
        assert kept.endswith(b"}\n")
    again = await through(truth, tmp_path)
    again.assert_exact()


@pytest.mark.parametrize("fault", ["deflate_cut@50%", "deflate"])
async def test_a_coding_that_nobody_asked_for_ends_the_batch_with_its_name(
    truth: Truth, tmp_path: Path, fault: str
) -> None:
    ran = await through(truth, tmp_path, f"{fault},n=1")
    [error] = ran.errors
    assert "deflate" in error
    (await through(truth, tmp_path)).assert_exact()


async def test_a_connection_that_dies_after_so_many_bytes_each_time(truth: Truth, tmp_path: Path) -> None:
    """With parts it gets to the end however often that is; each download goes on where the last one broke off."""
    ran = await through(truth, tmp_path, "etag", "fin@8k")
    ran.assert_exact()
    assert ran.stats["with_range"]["results"] == ran.stats["requests"]["results"] - 3
    assert ran.stats["faults"]["fin@8k"] > 3 * FRUITLESS_DOWNLOADS  # each of them brought something


async def test_without_parts_the_same_place_each_time_is_given_up_and_kept(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "fin@20k")
    assert {batch.downloads for batch in ran.batches.values()} == {FRUITLESS_DOWNLOADS + 1}
    for batch_id, body in truth.bodies.items():
        assert 0 < len(ran.kept(batch_id)) <= 20 * 1024
        assert body.startswith(ran.kept(batch_id))
        assert "run the same command again to go on" in ran.batches[batch_id].error
    (await through(truth, tmp_path)).assert_exact()


async def test_another_order_at_every_download_and_a_cut_after_5_percent_more(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "reorder", "fin@5%;step=5%")
    ran.assert_same_records()
    _assert_sizes(ran)
    assert ran.struck > 3 * 5


async def test_an_order_that_changes_in_the_middle(truth: Truth, tmp_path: Path) -> None:
    ran = await through(truth, tmp_path, "reorder", "fin@60%,n=2,per=batch")
    ran.assert_same_records()
    _assert_sizes(ran)


def _assert_sizes(ran: Ran) -> None:
    for batch_id, body in ran.truth.bodies.items():
        assert len(ran.final(batch_id)) == len(body)


@pytest.mark.parametrize(
    "lie",
    [
        "ignore_range",
        "range_416",
        "change_etag",
        "weak_etag",
        "wrong_range=start",
        "wrong_range=total",
        "wrong_range=missing",
    ],
)
async def test_whatever_a_server_says_of_parts_nothing_is_lost_or_doubled(
    truth: Truth, tmp_path: Path, lie: str
) -> None:
    ran = await through(truth, tmp_path, lie, "fin@60%,n=2,per=batch")
    ran.assert_exact()
    assert ran.stats["faults"]["fin@60%,n=2,per=batch"] == 6
    asked_for_parts = ran.stats["with_range"].get("results", 0)
    assert asked_for_parts == 0 if lie == "weak_etag" else asked_for_parts >= 3


async def test_bytes_that_change_between_two_parts_are_fetched_anew(truth: Truth, tmp_path: Path) -> None:
    """The order changes, and with it the strong validator: what is held is skipped by id, not by place."""
    ran = await through(truth, tmp_path, "change_etag", "reorder", "fin@60%,n=3,per=batch")
    ran.assert_same_records()
    assert ran.stats["with_range"]["results"] > 0
