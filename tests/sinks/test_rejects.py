"""What cannot be decoded is kept, byte for byte, in a file for its owner alone."""

from __future__ import annotations

import base64
import json
import resource
from pathlib import Path

import pytest

from streamer.errors import InUseError, StorageError
from streamer.results.block import Reject
from streamer.sinks.conformance import no_leftovers
from streamer.sinks.rejects import PIECE, RejectFile

RAWS = (b"", b"\xff\x00", b"x" * (2 * PIECE + 1))


def rejects_in(directory: Path) -> RejectFile:
    return RejectFile(str(directory / "{batch_id}.rejects.jsonl"), "b")


def kept(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (directory / "b.rejects.jsonl").read_bytes().splitlines()]


async def test_bytes_of_any_kind_and_length_are_kept_with_their_place(tmp_path: Path) -> None:
    async with no_leftovers():
        file = rejects_in(tmp_path)
        for n, raw in enumerate(RAWS):
            await file.add(Reject(n, len(raw), "odd", raw))
        lines = kept(tmp_path)  # before it is closed: a kill loses none
        await file.close()
    assert [base64.b64decode(str(line["raw_base64"])) for line in lines] == list(RAWS)
    assert [(line["batch_id"], line["offset"], line["length"], line["reason"]) for line in lines] == [
        ("b", n, len(raw), "odd") for n, raw in enumerate(RAWS)
    ]


async def test_nothing_is_made_without_a_reject_or_a_path(tmp_path: Path) -> None:
    file = rejects_in(tmp_path / "deep")
    await file.begin_pass()
    await file.close()
    nowhere = RejectFile(None, "b")
    await nowhere.add(Reject(0, 1, "odd", b"x"))
    await nowhere.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_download_that_begins_again_begins_it_again(tmp_path: Path) -> None:
    file = rejects_in(tmp_path)
    for offset in (1, 2):
        await file.begin_pass()
        await file.add(Reject(offset, 1, "odd", b"x"))
    await file.close()
    assert [line["offset"] for line in kept(tmp_path)] == [2]


async def test_what_came_whole_in_the_end_leaves_none(tmp_path: Path) -> None:
    first = rejects_in(tmp_path)
    await first.add(Reject(0, 1, "odd", b"x"))
    await first.close()
    again = rejects_in(tmp_path)
    await again.discard()
    await again.close()
    assert list(tmp_path.iterdir()) == []


async def test_two_at_once_do_not_write_over_each_other(tmp_path: Path) -> None:
    one, other = rejects_in(tmp_path), rejects_in(tmp_path)
    await one.add(Reject(0, 1, "odd", b"x"))
    with pytest.raises(InUseError, match=r"b\.rejects\.jsonl is being written by another process"):
        await other.add(Reject(1, 1, "odd", b"y"))
    await one.close()
    await other.close()
    assert [line["offset"] for line in kept(tmp_path)] == [0]


async def test_a_disk_that_does_not_take_it_says_so(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = rejects_in(tmp_path)
    await file.add(Reject(0, 1, "odd", b"x"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match=r"File too large \(EFBIG\); .* the rejects before this one are kept"):
            await file.add(Reject(1, 3000, "odd", b"x" * 3000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await file.close()
