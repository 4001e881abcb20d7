"""What a hostile server sends is bounded in memory and on the disk, and stays inside the target."""

from __future__ import annotations

import base64
import json
import os
import stat
import tracemalloc
from pathlib import Path

import pytest

from streamer.errors import AuthenticationError, StorageError, TransportError
from streamer.results.block import Reject, read_lines
from streamer.results.framing import Lines
from streamer.sinks.journal import Journal
from streamer.sinks.rejects import RejectFile
from streamer.watching.watch import WatchOptions, watch
from tests.api.servers import Server, batch, refusal, reply
from tests.api.test_client import client_of
from tests.clock import FakeClock


def record(custom_id: str = "a", kind: str = "succeeded", model: str = "m", error: str = "") -> bytes:
    message = {"model": model, "usage": {"input_tokens": 1, "output_tokens": 1}}
    result = {"type": kind, "message": message} if not error else {"type": kind, "error": {"error": {"type": error}}}
    return json.dumps({"custom_id": custom_id, "result": result}).encode()


@pytest.mark.parametrize("line", [record("x" * 1025), record(kind="x" * 257), record("\ud800" + "x" * 2000)])
def test_what_would_be_kept_of_a_record_has_a_bound_and_beyond_it_is_a_reject(line: bytes) -> None:
    block, [reject] = read_lines("b", Lines(0, record("before") + b"\n" + line + b"\n" + record("after"), True))
    assert block is not None
    assert block.ids == ["before", "after"]
    assert reject.raw == line


@pytest.mark.parametrize("line", [record(model="x" * 257), record(kind="errored", error="x" * 257)])
def test_a_long_name_inside_a_record_is_not_kept_but_the_record_is(line: bytes) -> None:
    block, rejects = read_lines("b", Lines(0, line, True))
    assert block is not None
    assert rejects == []
    assert block.data == line + b"\n"
    assert len(str(block.results)) < 200


@pytest.mark.parametrize("line", [record("x" * 1024), record(kind="x" * 256, model="y" * 256)])
def test_up_to_the_bound_all_is_as_ever(line: bytes) -> None:
    block, rejects = read_lines("b", Lines(0, line, True))
    assert block is not None
    assert rejects == []
    assert block.results[0].message is not None


async def test_a_long_reject_costs_little_more_than_its_bytes_and_is_kept_whole(tmp_path: Path) -> None:
    raw = os.urandom(8 << 20)
    file = RejectFile(str(tmp_path / "{batch_id}.rejects"), "b")
    tracemalloc.start()
    try:
        await file.add(Reject(0, len(raw), "too odd", raw))
        await file.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20
    [line] = (tmp_path / "b.rejects").read_text().splitlines()
    told = json.loads(line)
    assert base64.b64decode(told.pop("raw_base64")) == raw
    assert told == {"batch_id": "b", "offset": 0, "length": len(raw), "reason": "too odd"}


async def test_rejects_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = RejectFile(str(tmp_path / "new/{batch_id}.rejects"), "b")
        await file.add(Reject(0, 1, "odd", b"x"))
        await file.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new/b.rejects").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@pytest.mark.parametrize("trap", ["symlink", "hardlink", "pipe", "directory"])
async def test_rejects_are_not_written_into_what_somebody_put_in_their_place(tmp_path: Path, trap: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    path = tmp_path / "b.rejects"
    match trap:
        case "symlink":
            path.symlink_to(precious)
        case "hardlink":
            path.hardlink_to(precious)
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
    file = RejectFile(str(tmp_path / "{batch_id}.rejects"), "b")
    with pytest.raises(StorageError, match=r"b\.rejects"):
        await file.add(Reject(0, 1, "odd", b"x"))
    await file.close()
    assert precious.read_text() == "keep me"


async def test_rejects_of_an_earlier_download_are_replaced(tmp_path: Path) -> None:
    for n in (3, 1):
        file = RejectFile(str(tmp_path / "{batch_id}.rejects"), "b")
        for _ in range(n):
            await file.add(Reject(0, 1, "odd", b"x"))
        await file.close()
    assert len((tmp_path / "b.rejects").read_text().splitlines()) == 1


async def test_pages_that_lead_in_a_circle_are_not_followed_for_ever() -> None:
    pages = [
        reply(200, {"data": [batch(f"msgbatch_{n}")], "has_more": True, "last_id": f"msgbatch_{n}"}) for n in (1, 2, 1)
    ]
    async with Server(pages) as server, client_of(server) as client:
        with pytest.raises(TransportError, match="says there are more but not after which"):
            [found async for found in client.list()]
    assert len(server.seen) == 3


async def test_watching_pages_that_lead_in_a_circle_goes_on_at_its_own_pace() -> None:
    def page(n: int) -> bytes:
        return reply(200, {"data": [batch(f"msgbatch_{n}")], "has_more": True, "last_id": f"msgbatch_{n}"})

    clock = FakeClock()
    async with Server([page(1), page(2), page(1), page(2), refusal(401)]) as server:
        async with client_of(server, clock) as client:
            with pytest.raises(AuthenticationError):
                async for _ in watch(client, (), WatchOptions(everything=True), clock=clock):
                    pass
    assert len(server.seen) in {5, 6}  # the round asks for both batches at once
    assert clock.monotonic() >= 10  # the third page told that all of it is known, and a round's pause followed


EVIL_NAME = """'"); DROP TABLE acknowledged; --\x00"""


def test_names_that_are_sql_are_only_names(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "done.sqlite")
    journal.acknowledge(EVIL_NAME, EVIL_NAME, [(EVIL_NAME, EVIL_NAME)])
    journal.acknowledge("other", "b", [("a", "succeeded")])
    assert journal.acknowledged(EVIL_NAME, EVIL_NAME) == {EVIL_NAME: EVIL_NAME}
    journal.deliver(EVIL_NAME, EVIL_NAME)
    assert journal.delivered(EVIL_NAME, EVIL_NAME) == {EVIL_NAME: 1}
    assert journal.acknowledged("other", "b") == {"a": "succeeded"}
    journal.close()
