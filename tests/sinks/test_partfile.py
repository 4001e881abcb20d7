"""What becomes of the file of a batch when somebody works on it while it grows."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.errors import StorageError
from streamer.sinks.conformance import make_batch, make_block, make_records, no_leftovers, opened
from streamer.sinks.file import FileSink
from streamer.sinks.partfile import PartFile

ID = "msgbatch_1"
RECORDS = make_records(ID, 20)
WHOLE = b"".join(record + b"\n" for record in RECORDS.values())


def copied(part: Path) -> None:
    """`cp x.part y; mv y x.part`."""
    shutil.copy(part, part.with_name("y"))
    part.with_name("y").rename(part)


def edited(part: Path) -> None:
    subprocess.run(["sed", "-i", "s/a/a/", str(part)], check=True)


def removed(part: Path) -> None:
    part.unlink()


def moved(part: Path) -> None:
    """The whole directory is renamed away, and one of the same name made."""
    part.parent.rename(part.parent.with_name("old"))
    part.parent.mkdir()


@pytest.mark.parametrize("change", [copied, edited, removed, moved])
async def test_a_file_exchanged_while_it_grows_is_not_made_final_and_the_next_run_mends_it(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = tmp_path / "results"
    part, final = folder / f"{ID}.jsonl.part", folder / f"{ID}.jsonl"
    template = folder / "{batch_id}.jsonl"
    async with no_leftovers(), opened(FileSink(template), ID) as writer:
        await writer.write(make_block(ID, list(RECORDS.values())[:8]))
        change(part)
        await writer.write(make_block(ID, list(RECORDS.values())[8:]))
        with pytest.raises(StorageError, match="is no longer the file that was written here"):
            await writer.commit()
    assert not list(tmp_path.rglob(f"{ID}.jsonl"))
    async with opened(FileSink(template), ID) as writer:
        wanted = [raw for custom_id, raw in RECORDS.items() if custom_id not in writer.held.ids]
        await writer.write(make_block(ID, wanted))
        await writer.commit()
    assert final.read_bytes() == WHOLE
    assert not part.exists()


async def test_a_process_killed_between_the_two_names_has_finished_the_batch(tmp_path: Path) -> None:
    part, final = tmp_path / f"{ID}.jsonl.part", tmp_path / f"{ID}.jsonl"
    part.write_bytes(WHOLE)
    final.hardlink_to(part)
    async with opened(FileSink(tmp_path / "{batch_id}.jsonl"), ID) as writer:
        assert writer.committed
        assert len(writer.held) == len(RECORDS)
    assert [path.name for path in tmp_path.iterdir()] == [final.name]


async def test_a_growing_file_beside_a_final_one_is_somebody_elses(tmp_path: Path) -> None:
    part, final = tmp_path / f"{ID}.jsonl.part", tmp_path / f"{ID}.jsonl"
    part.write_bytes(WHOLE[:100])
    final.write_bytes(WHOLE)
    async with opened(FileSink(tmp_path / "{batch_id}.jsonl"), ID) as writer:
        assert writer.committed
    assert part.read_bytes() == WHOLE[:100]


def test_a_file_that_is_closed_twice_or_was_never_opened(tmp_path: Path) -> None:
    part = PartFile(tmp_path / make_batch(ID).id)
    assert not part.is_open
    part.close()
    part.open()
    assert part.is_open
    part.close()
    part.close()
    assert not part.is_open
