"""The search for keys finds them: in every form, in files and their names, in logs, and in what a test prints."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.security import finder as finders
from tests.security.finder import CANARIES, Finder

KEY = "Sought-0a1b2c3d4e5f6g7h"
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "written",
    [
        KEY.encode(),
        f'{{"authorization": "Bearer {KEY}"}}'.encode(),
        KEY[:16].encode(),  # cut by a limit on length
        KEY.encode().hex().encode(),
        KEY.encode("utf-16-le"),
        base64.b64encode(KEY.encode()),
        base64.b64encode(b"x" + KEY.encode() + b"yz"),
        base64.b64encode(b"xy" + KEY.encode()),
        base64.b64encode(b"user:" + KEY.encode()),
    ],
)
def test_a_key_is_found_in_any_form(tmp_path: Path, written: bytes) -> None:
    finder = Finder(keys=(KEY,))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/file").write_bytes(b"before " + written + b" after")
    finder.folder(tmp_path)
    finder.text(written, "said")
    assert finder.hits == [str(tmp_path / "deep/file"), "said"]
    assert (finder.files, finder.texts, finder.size) == (1, 1, len(written) * 2 + 13)


def test_a_key_is_found_where_two_reads_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finders, "CHUNK", 64)
    for before in range(128):
        (tmp_path / f"file-{before}").write_bytes(b"." * before + KEY.encode())
    finder = Finder(keys=(KEY,))
    finder.folder(tmp_path)
    assert len(finder.hits) == 128


def test_a_key_is_found_in_the_name_of_a_file(tmp_path: Path) -> None:
    (tmp_path / KEY).touch()
    finder = Finder(keys=(KEY,))
    finder.folder(tmp_path)
    assert len(finder.hits) == 1


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 100)
    finder = Finder()
    finder.folder(tmp_path)
    assert finder.hits == []


LEAKS = """
import asyncio, logging
log = logging.getLogger("leak")

def test_file(tmp_path):
    (tmp_path / "leaked").write_text("KEY")

def test_print():
    print("KEY")

def test_log():
    log.warning("sent %s", "KEY")

def test_log_attribute():
    log.warning("sent", extra={"headers": {"x-api-key": "KEY"}})

def test_log_locals():
    try:
        asyncio.run("KEY")
    except ValueError:
        log.exception("it failed")
"""
HARMLESS = "def test_no_leak(tmp_path): (tmp_path / 'file').write_text('harmless')"
CONFTEST = """
def pytest_configure(config):
    from tests.security.watch import CanaryWatch
    config.pluginmanager.register(CanaryWatch())
"""


def run_of(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """A test run of its own."""
    folder.mkdir()
    (folder / "pytest.ini").touch()
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(code)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", "base"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_test_run_that_leaks_a_key_fails_though_every_test_passes(tmp_path: Path) -> None:
    done = run_of(tmp_path / "leaks", LEAKS.replace("KEY", CANARIES[0]))
    shutil.rmtree(tmp_path / "leaks")  # or this run would find it, too
    assert "5 passed" in done.stdout
    assert done.returncode == 1
    found = [line for line in done.stdout.splitlines() if line.startswith("CANARY a key is in ")]
    assert len([line for line in found if "log record of leak" in line]) == 3
    assert len({line for line in found if "Captured stdout" in line}) == 1
    assert len([line for line in found if line.endswith("leaked")]) == 1


def test_a_test_run_that_leaks_nothing_passes(tmp_path: Path) -> None:
    done = run_of(tmp_path / "harmless", HARMLESS)
    assert done.returncode == 0, done.stdout
    assert "canary keys: searched 1 files" in done.stdout
