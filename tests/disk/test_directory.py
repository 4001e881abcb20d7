"""A file gets its final name only where that name, and the one it had, lead to the file that was written."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.disk.directory import Directory
from streamer.disk.growingfile import GrowingFile, open_alone
from streamer.errors import StorageError

MINE, THEIRS = b"mine\n", b"theirs\n"


class Place:
    """A growing file `x.part` in an open directory, its content written."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        self.part, self.final, self.aside = path / "x.part", path / "x", path / "aside"
        self.directory = Directory(path)
        file = open_alone(self.directory, "x.part")
        assert file is not None
        self.file: GrowingFile = file
        self.file.append([MINE])

    def make_final(self, *, replace: bool) -> None:
        self.directory.make_final(self.file.fileno(), self.final, replace=replace)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "place")
    yield place
    place.file.close()
    place.directory.close()


both = pytest.mark.parametrize("replace", [False, True], ids=["new", "replaced"])


@both
def test_a_file_gets_its_name_and_loses_the_other(place: Place, *, replace: bool) -> None:
    if replace:
        place.final.write_bytes(b"older")
    place.make_final(replace=replace)
    assert [path.name for path in place.path.iterdir()] == ["x"]
    assert place.final.read_bytes() == MINE
    assert place.final.stat().st_mode & 0o777 == 0o600
    assert place.final.stat().st_nlink == 1


def copied(place: Place) -> None:
    """`cp x.part aside; mv aside x.part`, as a sync tool or `sed -i` does."""
    shutil.copy(place.part, place.aside)
    place.aside.rename(place.part)


def linked(place: Place) -> None:
    """Another file's second name."""
    place.aside.write_bytes(THEIRS)
    place.part.unlink()
    place.part.hardlink_to(place.aside)


def symlinked(place: Place) -> None:
    place.part.rename(place.aside)
    place.part.symlink_to("aside")


def removed(place: Place) -> None:
    place.part.unlink()


def moved(place: Place) -> None:
    """The directory is renamed away."""
    place.path.rename(place.path.with_name("moved"))


def exchanged(place: Place) -> None:
    """And another one, with a file of that name, is put in its place."""
    moved(place)
    place.path.mkdir()
    place.part.write_bytes(THEIRS)


@both
@pytest.mark.parametrize("change", [copied, linked, symlinked, removed, moved, exchanged])
def test_what_was_exchanged_meanwhile_is_never_made_final(
    place: Place, change: Callable[[Place], None], *, replace: bool
) -> None:
    change(place)
    with pytest.raises(StorageError, match=r"x\.part is no longer the file that was written .* run the same again"):
        place.make_final(replace=replace)
    assert not place.final.exists()
    assert not (place.path.with_name("moved") / "x").exists()


def test_a_name_that_somebody_else_takes_in_the_last_moment_stays_theirs(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_call(monkeypatch, "link", lambda: place.final.write_bytes(THEIRS))
    with pytest.raises(StorageError, match="was made by somebody else meanwhile"):
        place.make_final(replace=False)
    assert place.final.read_bytes() == THEIRS
    assert place.part.read_bytes() == MINE


@both
@pytest.mark.parametrize("change", [copied, linked, moved])
def test_what_is_exchanged_between_the_proof_and_the_act_is_taken_back(
    place: Place, monkeypatch: pytest.MonkeyPatch, change: Callable[[Place], None], *, replace: bool
) -> None:
    at_the_call(monkeypatch, "rename" if replace else "link", lambda: change(place))
    with pytest.raises(StorageError, match="is no longer the file that was written"):
        place.make_final(replace=replace)
    assert not place.final.exists()
    assert not (place.path.with_name("moved") / "x").exists()


def test_a_final_file_that_is_replaced_in_the_next_moment_is_told_and_left(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace() -> None:
        place.aside.write_bytes(THEIRS)
        place.aside.rename(place.final)

    at_the_call(monkeypatch, "link", replace, after=True)
    with pytest.raises(StorageError, match="x is no longer the file that was written"):
        place.make_final(replace=False)
    assert place.final.read_bytes() == THEIRS
    assert place.part.read_bytes() == MINE


def test_a_file_system_without_hard_links(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    place.final.write_bytes(THEIRS)
    with pytest.raises(StorageError, match="was made by somebody else meanwhile"):
        place.make_final(replace=False)
    assert place.final.read_bytes() == THEIRS
    place.final.unlink()
    place.make_final(replace=False)
    assert [path.name for path in place.path.iterdir()] == ["x"]


def test_the_working_directory_may_become_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = Place(Path("place"))
    monkeypatch.chdir("/")
    place.make_final(replace=False)
    place.file.close()
    place.directory.close()
    assert (tmp_path / "place" / "x").read_bytes() == MINE


def at_the_call(
    monkeypatch: pytest.MonkeyPatch, name: str, action: Callable[[], object], *, after: bool = False
) -> None:
    """Do something just before, or just after, the first call of a function of the system."""
    real = getattr(os, name)

    def call(*args: object, **kwargs: object) -> None:
        monkeypatch.setattr(os, name, real)
        if not after:
            action()
        real(*args, **kwargs)
        if after:
            action()

    monkeypatch.setattr(os, name, call)
