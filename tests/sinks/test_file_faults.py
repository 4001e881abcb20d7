"""What a file sink says and keeps when the disk, or somebody else, is in the way."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from streamer.errors import StorageError
from streamer.sinks.base import PartWriter
from streamer.sinks.conformance import deliver, make_block, make_record, make_records, no_leftovers, opened
from streamer.sinks.file import FileSink
from streamer.sinks.writeback import TOGETHER

ID = "msgbatch_1"
FINAL = f"{ID}.jsonl"
PART = f"{ID}.jsonl.part"


def as_lines(records: dict[str, bytes]) -> bytes:
    return b"".join(record + b"\n" for record in records.values())


async def run(directory: Path, records: dict[str, bytes]) -> dict[str, str]:
    sink = FileSink(directory / "{batch_id}.jsonl")
    try:
        return await deliver(sink, ID, records)
    finally:
        await sink.close()


async def refusal(directory: Path) -> str:
    """What is said when a batch cannot be opened, which must leave nothing open."""
    async with no_leftovers():
        with pytest.raises(StorageError) as raised:
            await run(directory, {})
    message = str(raised.value)
    assert "\n" not in message
    return message.replace(str(directory), "DIR")


PRELUDE = """
import asyncio, os, resource, sys
from pathlib import Path
from streamer.errors import StorageError
from streamer.sinks.conformance import make_records
from tests.sinks.test_file_faults import ID, run

def attempt(directory, records):
    try:
        asyncio.run(run(Path(directory), records))
    except StorageError as error:
        print(error)
    else:
        print("delivered")
"""


def in_process(script: str, *arguments: object, prefix: tuple[str, ...] = ()) -> list[str]:
    """What a process prints that runs `script`; it knows `attempt(directory, records)`, `make_records` and `ID`."""
    done = subprocess.run(
        [*prefix, sys.executable, "-c", PRELUDE + textwrap.dedent(script), *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not done.stderr
    return done.stdout.splitlines()


async def test_a_line_in_the_middle_that_is_no_record(tmp_path: Path) -> None:
    good = as_lines(make_records(ID, 2))
    for name, content in ((PART, good + b"hello\n" + good), (FINAL, good + b"hello\n" + good), (FINAL, good + b"{")):
        path = tmp_path / name
        path.write_bytes(content)
        message = await refusal(tmp_path)
        assert message.startswith(f"DIR/{name} holds something else than records at byte {len(good):,} (")
        assert "move it away" in message
        assert path.read_bytes() == content
        path.unlink()


async def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    for name in (FINAL, PART):
        for content in ("precious", None):
            target.unlink(missing_ok=True)
            if content:
                target.write_text(content)
            link = tmp_path / name
            link.symlink_to(target)
            message = await refusal(tmp_path)
            assert "symbolic link" in message
            assert target.exists() == bool(content)
            link.unlink()


async def test_a_second_name_for_the_growing_file_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "precious"
    victim.write_text("")
    (tmp_path / PART).hardlink_to(victim)
    assert "not this user's alone" in await refusal(tmp_path)


async def test_something_that_is_no_file_is_in_the_way(tmp_path: Path) -> None:
    for name in (FINAL, PART):
        (tmp_path / name).mkdir()
        assert "a directory; remove it or choose another target" in (await refusal(tmp_path)).lower()
        (tmp_path / name).rmdir()
        os.mkfifo(tmp_path / name)
        assert f"DIR/{name} cannot be used: it is not a plain file" in await refusal(tmp_path)
        (tmp_path / name).unlink()


async def test_a_file_is_where_a_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    for directory in (tmp_path / "out", tmp_path / "out" / "deeper"):
        message = await refusal(directory)
        assert f"{tmp_path}/out is a file where a directory should be" in message.replace("DIR", str(directory))


async def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    directory = tmp_path / "closed"
    directory.mkdir(mode=0o555)
    me = os.geteuid()
    if me == 0:  # who may write everywhere, so it is tried as nobody, who may get to it
        for path in [tmp_path, *tmp_path.parents][:3]:
            path.chmod(0o755)
        os.seteuid(65534)
    try:
        for target in (directory, directory / "deeper"):
            message = await refusal(target)
            assert "Permission denied; change the permissions or choose another target" in message
    finally:
        os.seteuid(me)


async def test_a_second_writer_of_the_same_batch_is_refused(tmp_path: Path) -> None:
    records = make_records(ID, 5)
    async with opened(FileSink(tmp_path / "{batch_id}.jsonl"), ID) as writer:
        await writer.write(make_block(ID, records.values()))
        assert "DIR/msgbatch_1.jsonl.part is being written by another process" in await refusal(tmp_path)
        [other] = in_process("attempt(sys.argv[1], make_records(ID, 5))", tmp_path)
        assert "is being written by another process" in other
        await writer.commit()
    assert (tmp_path / FINAL).read_bytes() == as_lines(records)


@pytest.mark.parametrize("begun", [True, False])
async def test_another_process_commits_while_we_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, begun: bool
) -> None:
    """It commits after we looked for the final file: before we open the growing one, or between that and its lock."""
    records = make_records(ID, 5)
    part, final = tmp_path / PART, tmp_path / FINAL
    part.write_bytes(as_lines(records))
    real_open, real_lock = os.open, fcntl.flock

    def commit() -> None:
        if part.exists() and not final.exists():
            part.rename(final)

    def commit_and_open(name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if name == PART:
            commit()
        return real_open(name, flags, mode, dir_fd=dir_fd)

    def commit_and_lock(descriptor: int, operation: int) -> None:
        commit()
        real_lock(descriptor, operation)

    if begun:
        monkeypatch.setattr(fcntl, "flock", commit_and_lock)
    else:
        monkeypatch.setattr(os, "open", commit_and_open)
    async with no_leftovers(), opened(FileSink(tmp_path / "{batch_id}.jsonl"), ID) as writer:
        assert writer.committed
        assert len(writer.held) == 5
    assert [path.name for path in tmp_path.iterdir()] == [FINAL]


async def test_another_process_gives_the_file_up_while_we_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fsync failed, so it removed the file that we have opened but not locked yet."""
    records = make_records(ID, 5)
    part = tmp_path / PART
    part.write_bytes(as_lines(records))
    real_lock, removals = fcntl.flock, [part.unlink]

    def remove_and_lock(descriptor: int, operation: int) -> None:
        while removals:
            removals.pop()()
        real_lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_and_lock)
    assert await run(tmp_path, records) == {}
    assert (tmp_path / FINAL).read_bytes() == as_lines(records)


async def test_a_final_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    async with no_leftovers(), opened(FileSink(tmp_path / "{batch_id}.jsonl"), ID) as writer:
        (tmp_path / FINAL).write_text("theirs")
        with pytest.raises(StorageError, match="was made by somebody else meanwhile"):
            await writer.commit()
    assert (tmp_path / FINAL).read_text() == "theirs"


async def test_a_failed_fsync_commits_nothing_and_trusts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = make_records(ID, 5)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StorageError, match=r"Input/output error \(EIO\); [\d,]+ bytes are free") as raised:
            await run(tmp_path, records)
    assert "fetched anew" in str(raised.value)
    assert await run(tmp_path, records) == {}
    assert (tmp_path / FINAL).read_bytes() == as_lines(records)


# A file system of one's own needs no rights, but a kernel and a container that let a user have one.
OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")


@pytest.mark.skipif(
    subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode != 0,
    reason="a small disk cannot be mounted here: allow user namespaces; a limit on the size of files is tried anyway",
)
def test_a_disk_that_fills_up_keeps_what_it_took(tmp_path: Path) -> None:
    """On a file system of 256 KiB; then the file is brought to one with room."""
    script = """
        import shutil, subprocess
        small, roomy = sys.argv[1:]
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], check=True)
        records = make_records(ID, 500, filler=4000)
        attempt(small, records)
        attempt(small, records)
        shutil.copy(f"{small}/{ID}.jsonl.part", roomy)
        attempt(roomy, records)
    """
    small, roomy = tmp_path / "small", tmp_path / "roomy"
    small.mkdir()
    roomy.mkdir()
    *full, last = in_process(script, small, roomy, prefix=OWN_MOUNTS)
    assert len(full) == 2
    for line in full:
        assert "No space left on device (ENOSPC); 0 bytes are free on its filesystem" in line
        assert "what is already written is kept" in line
    assert last == "delivered"
    assert (roomy / FINAL).read_bytes() == as_lines(make_records(ID, 500, filler=4000))


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    script = """
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        attempt(sys.argv[1], make_records(ID, 500, filler=4000))
        print(os.path.getsize(f"{sys.argv[1]}/{ID}.jsonl.part"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        attempt(sys.argv[1], make_records(ID, 500, filler=4000))
    """
    failed, size, last = in_process(script, tmp_path)
    assert "File too large (EFBIG); " in failed
    assert int(size) == 100_000
    assert last == "delivered"
    assert (tmp_path / FINAL).read_bytes() == as_lines(make_records(ID, 500, filler=4000))


def test_too_many_open_files(tmp_path: Path) -> None:
    script = """
        async def exhaust():
            loop = asyncio.get_running_loop()
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) - 1, 4096))
            try:
                await run(Path(sys.argv[1]), {})
            except StorageError as error:
                print(error)
        asyncio.run(exhaust())
    """
    [line] = in_process(script, tmp_path)
    assert "Too many open files; raise the limit of open files (ulimit -n) or lower the concurrency" in line


async def test_a_writer_that_failed_takes_and_commits_nothing_more(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    block = make_block(ID, [make_record(f"{ID}-long", "succeeded", "x" * TOGETHER)])
    async with no_leftovers(), opened(FileSink(tmp_path / "{batch_id}.jsonl"), ID) as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(StorageError, match="EFBIG"):
                for _ in range(2):  # a thread begins to write the first one, and what comes next waits for it
                    await writer.write(block)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with pytest.raises(StorageError, match="takes nothing more"):
            await writer.write(block)
        with pytest.raises(StorageError, match="cannot be made final"):
            await writer.commit()
    assert [path.name for path in tmp_path.iterdir()] == [PART]


async def test_a_long_record_under_way_cannot_be_committed(tmp_path: Path) -> None:
    async with opened(FileSink(tmp_path / "{batch_id}.jsonl"), ID) as writer:
        assert isinstance(writer, PartWriter)
        await writer.write_part(b'{"custom_id":')
        with pytest.raises(StorageError, match="its last record is not whole"):
            await writer.commit()


@pytest.mark.parametrize("size", [0, 1, 1_500_000])
def test_killed_at_any_moment_the_next_run_finishes_the_file(tmp_path: Path, size: int) -> None:
    """The process is killed as soon as its file has grown to `size`."""
    script = "attempt(sys.argv[1], make_records(ID, 1500, filler=12_000))"
    part, final = tmp_path / PART, tmp_path / FINAL
    arguments = [sys.executable, "-c", PRELUDE + script, str(tmp_path)]
    with subprocess.Popen(arguments, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not final.exists() and (not part.exists() or part.stat().st_size < size):
            pass
        process.kill()
    assert in_process(script, tmp_path) == ["delivered"]
    assert final.read_bytes() == as_lines(make_records(ID, 1500, filler=12_000))
