"""A sink with a journal: what it acknowledged does not come again, whatever happens in between."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.api.types import Batch
from streamer.errors import SinkError, StorageError
from streamer.results.block import Block, read_lines
from streamer.results.framing import Lines
from streamer.sinks.callback import CallbackSink
from streamer.sinks.checkpoint import CheckpointedSink
from streamer.sinks.file import FileSink
from streamer.sinks.journal import Journal

BATCH = Batch(id="msgbatch_1", processing_status="ended")


def block(*custom_ids: str) -> Block:
    data = b"".join(b'{"custom_id":"%s","result":{"type":"succeeded"}}\n' % i.encode() for i in custom_ids)
    made, rejects = read_lines(BATCH.id, Lines(0, data))
    assert made is not None
    assert rejects == []
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def sink(path: Path, seen: list[str], name: str = "n") -> CheckpointedSink:
    return CheckpointedSink(CallbackSink(lambda record: seen.append(record.custom_id)), path, name=name)


async def test_what_was_acknowledged_is_held_after_a_reopening(path: Path) -> None:
    seen: list[str] = []
    first = sink(path, seen)
    writer = await first.open(BATCH)
    await writer.write(block("a", "b"))
    await writer.close()
    await first.close()
    again = sink(path, seen)
    writer = await again.open(BATCH)
    assert writer.held.ids == {"a": "succeeded", "b": "succeeded"}
    assert not writer.committed
    await writer.write(block("c"))
    await writer.commit()
    await writer.close()
    await again.close()
    assert seen == ["a", "b", "c"]
    last = sink(path, seen)
    writer = await last.open(BATCH)
    assert writer.committed
    assert dict(writer.held.types) == {"succeeded": 3}
    await writer.close()
    await last.close()


async def test_a_block_that_the_sink_did_not_take_is_not_acknowledged(path: Path) -> None:
    def refuse(record: object) -> None:
        raise ValueError("not now")

    broken = CheckpointedSink(CallbackSink(refuse), path, name="n")
    writer = await broken.open(BATCH)
    with pytest.raises(SinkError, match="not now"):
        await writer.write(block("a"))
    await writer.close()
    await broken.close()
    again = sink(path, [])
    writer = await again.open(BATCH)
    assert len(writer.held) == 0
    await writer.close()
    await again.close()


async def test_an_empty_batch_is_delivered_once(path: Path) -> None:
    for committed in (False, True):
        one = sink(path, [])
        writer = await one.open(BATCH)
        assert writer.committed is committed
        if not committed:
            await writer.commit()
        await writer.close()
        await one.close()


async def test_sinks_of_different_names_share_a_journal_and_nothing_else(path: Path) -> None:
    one = sink(path, [], "one")
    writer = await one.open(BATCH)
    await writer.write(block("a"))
    await writer.close()
    await one.close()
    other = sink(path, [], "other")
    writer = await other.open(BATCH)
    assert len(writer.held) == 0
    await writer.close()
    await other.close()


async def test_a_sink_that_knows_what_it_holds_takes_no_checkpoint(path: Path, tmp_path: Path) -> None:
    (tmp_path / "msgbatch_1.jsonl.part").write_bytes(block("a").data)
    one = CheckpointedSink(FileSink(tmp_path / "{batch_id}.jsonl"), path, name="n")
    with pytest.raises(SinkError, match="takes no checkpoint"):
        await one.open(BATCH)
    await one.close()


def test_the_journal_is_for_this_user_alone(path: Path) -> None:
    journal = Journal(path)
    journal.acknowledge("n", "b", [("a", "succeeded")])
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    journal.close()


def test_a_second_process_is_refused(path: Path) -> None:
    journal = Journal(path)
    journal.acknowledge("n", "b", [("a", "succeeded")])
    script = "import sys; from streamer.sinks.journal import Journal; Journal(sys.argv[1]).acknowledged('n', 'b')"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert "InUseError" in done.stderr
    assert "in use by another process" in done.stderr
    journal.close()


def test_a_kill_after_the_acknowledgement_loses_nothing(path: Path) -> None:
    script = (
        "import os, sys; from streamer.sinks.journal import Journal\n"
        "Journal(sys.argv[1]).acknowledge('n', 'b', [('a', 'succeeded')])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == -9
    journal = Journal(path)
    assert journal.acknowledged("n", "b") == {"a": "succeeded"}
    journal.close()


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data), 97):
        data[place] ^= 0xFF
    path.write_bytes(data)


def _older(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 0")
    connection.close()


def _foreign(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()


def _text(path: Path) -> None:
    path.write_text("this is no database, but long enough to be looked at" * 50)


@pytest.mark.parametrize("damage", [_emptied, _truncated, _flipped, _older, _foreign, _text])
def test_a_damaged_journal_is_refused_with_what_to_do_and_never_begun_anew(path: Path, damage: object) -> None:
    journal = Journal(path)
    journal.acknowledge("n", "b", [(f"id-{n}", "succeeded") for n in range(2000)])
    journal.close()
    damage(path)  # type: ignore[operator]  # one of the functions above
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"cannot be trusted: .*move it away"):
        journal.acknowledged("n", "b")
    journal.close()
    assert path.read_bytes() == before
