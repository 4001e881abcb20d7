"""What a person at a terminal sees; a pty stands for the terminal."""

from __future__ import annotations

import errno
import os
import pty
import re
import signal
import sys
from pathlib import Path

from streamer.emulator.process import RunningEmulator, running
from tests.cli import strange
from tests.cli.command import COMMAND, KEY, Started, listed

WITHOUT_RICH = [
    sys.executable,
    "-c",
    "import sys; sys.modules['rich'] = None\nfrom streamer.cli import main; sys.exit(main())",
]


def read_all(ours: int) -> bytes:
    """What comes to the terminal until nobody holds its other end any more; closes it."""
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError as error:  # how Linux says so
        if error.errno != errno.EIO:
            raise
    os.close(ours)
    return shown


def seen(*words: str, cwd: Path, base_url: str, command: list[str] | None = None) -> tuple[int, str, str]:
    """Exit code, stdout, and what came to the terminal, of a command whose stderr is one."""
    ours, theirs = pty.openpty()
    with Started(*words, cwd=cwd, base_url=base_url, stderr=theirs, command=command or COMMAND) as started:
        os.close(theirs)
        shown = read_all(ours).decode()
        return started.done.returncode, started.done.stdout, shown


def test_progress_is_drawn_and_a_summary_follows(tmp_path: Path) -> None:
    with running(
        fill=2, fill_ended=1, records=100, duration=1.2, duration_spread=0, retry_after=0, results_rate=150_000
    ) as emulator:
        code, out, shown = seen(
            "run", "--all", "--json", "--poll-interval", "0.2", cwd=tmp_path, base_url=emulator.base_url
        )
        ids = listed(emulator)
    assert code == 0
    assert len(out.splitlines()) == 4  # the drawing leaves stdout alone
    assert "\x1b" not in out
    assert re.search(
        r"2 waiting, 1 streaming, 0 done, 0 failed, [0-9,]+ records?, .*/s, .*, first expires in 2[34] h", shown
    )
    assert re.search(rf"{ids[-1]}.*/100 records", shown)
    assert "\x1b[?25h" in shown  # the cursor is back
    assert "3 of 3 batches delivered" in shown
    assert "records are in results/{batch_id}.jsonl" in shown
    assert KEY not in shown


def test_without_rich_it_is_a_plain_line(tmp_path: Path, emulator: RunningEmulator) -> None:
    code, _, shown = seen("run", listed(emulator)[0], cwd=tmp_path, base_url=emulator.base_url, command=WITHOUT_RICH)
    assert code == 0
    assert shown.splitlines()[0].startswith("streamer: 1 waiting, 0 streaming, 0 done, 0 failed, 0 records")
    assert "\x1b" not in shown


def test_quiet_is_quiet_on_a_terminal_too(tmp_path: Path, emulator: RunningEmulator) -> None:
    code, _, shown = seen("run", listed(emulator)[0], "-q", cwd=tmp_path, base_url=emulator.base_url)
    assert (code, shown) == (0, "")


def test_ctrl_c_at_a_terminal_is_acknowledged_at_once_and_the_cursor_comes_back(
    tmp_path: Path, emulator: RunningEmulator
) -> None:
    ours, theirs = pty.openpty()
    with Started("run", "--all", "--follow", cwd=tmp_path, base_url=emulator.base_url, stderr=theirs) as started:
        os.close(theirs)
        drawn = b""
        while not re.search(rb"0 waiting, 0 streaming, [1-9] done", drawn):
            drawn += os.read(ours, 65536)
        started.process.send_signal(signal.SIGINT)
        shown = read_all(ours).decode()
        assert started.done.returncode == 130
    assert "streamer: stopping; again to stop at once" in shown
    assert "\x1b[?25h" in shown
    assert " batches delivered" in shown
    assert shown.rstrip().endswith("streamer: interrupted; run the same command again to go on")


def test_a_retry_is_told_to_who_waits_at_a_terminal(tmp_path: Path) -> None:
    with strange.serving() as server:
        code, out, shown = seen("list", cwd=tmp_path, base_url=server.url + "/flaky")
    assert code == 0
    assert "529 overloaded_error: try later; trying again in" in shown
    assert strange.GOOD in out
