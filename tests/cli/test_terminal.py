"""What a person at a terminal sees; a pty stands for the terminal."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import signal
import sys
from pathlib import Path

import pytest

from streamer.emulator.running import RunningEmulator, running
from tests.answers.made import record, results
from tests.cli import strange
from tests.cli.command import COMMAND, KEY, Started, listed

NOBODY = "http://127.0.0.1:9"  # where nobody listens
WITHOUT_RICH = [
    sys.executable,
    "-c",
    "import sys; sys.modules['rich'] = None\nfrom streamer.cli import main; sys.exit(main())",
]


OFTEN = WITHOUT_RICH[2].replace(
    "\n", "\nimport streamer.cli.show.terminal as p; p.PLAIN_SECONDS = 0.02\n", 1
)  # lines of text


class Seen(Started):
    """A command whose stderr is a terminal; what comes there is `shown`, as far as it was read."""

    def __init__(self, *words: str, cwd: Path, base_url: str, command: list[str] | None = None) -> None:
        self._ours, theirs = pty.openpty()
        super().__init__(*words, cwd=cwd, base_url=base_url, stderr=theirs, command=command or COMMAND)
        os.close(theirs)
        self.shown = ""

    def read_until(self, pattern: str) -> None:
        """Read until the terminal has shown what is looked for; to the end when it never does."""
        while not re.search(pattern, self.shown):
            try:
                data = os.read(self._ours, 65536)
            except OSError as error:  # how Linux says that nobody holds the other end any more
                if error.errno != errno.EIO:
                    raise
                data = b""
            if not data:
                break
            self.shown += data.decode(errors="replace")

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        os.close(self._ours)


NEVER = "$."  # a pattern that nothing matches


def seen(*words: str, cwd: Path, base_url: str, command: list[str] | None = None) -> tuple[int, str, str]:
    """Exit code, stdout, and what came to the terminal, of a command whose stderr is one."""
    with Seen(*words, cwd=cwd, base_url=base_url, command=command) as it:
        it.read_until(NEVER)
        return it.done.returncode, it.done.stdout, it.shown


def test_progress_is_drawn_and_a_summary_follows(tmp_path: Path) -> None:
    switches = {"fill": 2, "fill_ended": 1, "records": 60, "duration": 3600, "retry_after": 0, "results_rate": 80_000}
    words = ("run", "--all", "--json", "--poll-interval", "0.2")
    with running(**switches) as emulator, Seen(*words, cwd=tmp_path, base_url=emulator.base_url) as it:
        it.read_until(
            "2 at the API, 0 queued, 1 streaming, 0 done, 0 failed, [1-9][0-9]* records?, .*/s, .*, first expires in "
            "2[34] h"
        )
        emulator.advance(7200)
        it.read_until(NEVER)
        done, oldest = it.done, listed(emulator)[-1]
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 4  # the drawing leaves stdout alone
    assert "\x1b" not in done.stdout
    assert re.search(rf"{oldest}.*/60\b", it.shown)
    assert "2 at the API, 0 queued, 1 streaming, 0 done, 0 failed" in it.shown
    assert "first expires in 23 h" in it.shown
    assert "\x1b[?25h" in it.shown  # the cursor is back
    assert "3 of 3 batches delivered" in it.shown
    assert "records are in results/{batch_id}.jsonl" in it.shown
    assert KEY not in it.shown


def test_without_rich_it_is_a_plain_line(tmp_path: Path, emulator: RunningEmulator) -> None:
    code, _, shown = seen("run", listed(emulator)[0], cwd=tmp_path, base_url=emulator.base_url, command=WITHOUT_RICH)
    assert code == 0
    assert shown.splitlines()[0].startswith(
        "streamer: 1 at the API, 0 queued, 0 streaming, 0 done, 0 failed, 0 records"
    )
    assert "\x1b" not in shown


def test_quiet_is_quiet_on_a_terminal_too(tmp_path: Path, emulator: RunningEmulator) -> None:
    code, _, shown = seen("run", listed(emulator)[0], "-q", cwd=tmp_path, base_url=emulator.base_url)
    assert (code, shown) == (0, "")


def test_ctrl_c_at_a_terminal_is_acknowledged_at_once_and_the_cursor_comes_back(
    tmp_path: Path, emulator: RunningEmulator
) -> None:
    with Seen("run", "--all", "--follow", cwd=tmp_path, base_url=emulator.base_url) as it:
        it.read_until("0 at the API, 0 queued, 0 streaming, [1-9] done")
        it.process.send_signal(signal.SIGINT)
        it.read_until(NEVER)
        assert it.done.returncode == 130
    assert "streamer: stopping; again to stop at once" in it.shown
    assert "\x1b[?25h" in it.shown
    assert " batches delivered" in it.shown
    assert it.shown.rstrip().endswith("streamer: interrupted; run the same command again to go on")


def test_who_interrupts_a_download_is_told_what_came(tmp_path: Path) -> None:
    switches = {"fill_ended": 1, "records": 2000, "results_rate": 200_000}
    with running(**switches) as emulator, Seen("run", "--all", cwd=tmp_path, base_url=emulator.base_url) as it:
        it.read_until("0 at the API, 0 queued, 1 streaming, 0 done, 0 failed, [1-9][0-9]* records")
        it.process.send_signal(signal.SIGINT)
        it.read_until(NEVER)
        assert it.done.returncode == 130
    [part] = (tmp_path / "results").iterdir()
    told = re.search(r"([0-9,]+) records \(", it.shown)
    assert told is not None
    assert 0 < int(told[1].replace(",", "")) <= len(part.read_bytes().splitlines())


def requests(path: Path, number: int) -> Path:
    params = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "x" * 200}]}
    path.write_text("".join(json.dumps({"custom_id": f"q-{n}", "params": params}) + "\n" for n in range(number)))
    return path


def test_who_submits_sees_what_is_checked_and_sent_and_the_ids_stay_apart(
    tmp_path: Path, emulator: RunningEmulator
) -> None:
    requests(tmp_path / "requests.jsonl", 3)
    words = ("submit", "requests.jsonl", "--max-requests", "2")
    code, out, shown = seen(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert code == 0
    assert "checking requests: 0" in shown
    assert re.search(r"sending batch 1 of 2: 0 B of [67]\d\d B", shown)
    assert re.search(r"sending batch 2 of 2: 0 B of 3\d\d B", shown)
    assert out.split() == listed(emulator)[1::-1]
    assert "\x1b" not in out
    assert "\x1b[?25h" in shown  # the cursor is back
    assert "all requests are sent, in 2 batches" in shown.splitlines()[-1]


def test_what_comes_through_a_pipe_is_counted_while_it_comes(tmp_path: Path, emulator: RunningEmulator) -> None:
    data = requests(tmp_path / "some", 400).read_bytes()
    os.mkfifo(tmp_path / "pipe")
    with Seen("submit", "pipe", cwd=tmp_path, base_url=emulator.base_url) as it:
        with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            pipe.write(data)  # more than is looked at to tell its form, and the end is not there yet
            it.read_until("checking requests: [1-9][0-9]*\\b(?! \\()")
        it.read_until(NEVER)
        assert it.done.returncode == 0


@pytest.mark.parametrize(
    ("words", "shown", "last"),
    [
        (("submit", "pipe", "--dry-run"), "checking requests: [1-9]", ""),
        (
            ("join", "--requests", "pipe", "--to", "answers"),
            "putting answers in order: [1-9]",
            "400 answers in",
        ),
        (("retry", "--requests", "pipe", "-q"), "", ""),
        (("retry", "--requests", "pipe"), "looking for requests to send again: [1-9]", "nothing to send again"),
    ],
)
def test_what_needs_no_network_is_followed_too(tmp_path: Path, words: tuple[str, ...], shown: str, last: str) -> None:
    data = requests(tmp_path / "some", 400).read_bytes()
    (tmp_path / "results").mkdir()
    results(tmp_path / "results" / "msgbatch_1.jsonl", *[record(f"q-{n}") for n in range(400)])
    os.mkfifo(tmp_path / "pipe")
    with Seen(*words, cwd=tmp_path, base_url=NOBODY) as it:
        with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            pipe.write(data)
            it.read_until(shown)
        it.read_until(NEVER)
        assert it.done.returncode == 0
    if shown:
        assert "\x1b[?25h" in it.shown  # the cursor is back
        assert last in it.shown.splitlines()[-1]
    else:
        assert it.shown == ""


def test_without_rich_what_is_checked_is_a_plain_line_said_once(tmp_path: Path, emulator: RunningEmulator) -> None:
    data = requests(tmp_path / "some", 400).read_bytes()
    os.mkfifo(tmp_path / "pipe")
    often = [*WITHOUT_RICH[:2], OFTEN]
    with Seen("submit", "pipe", cwd=tmp_path, base_url=emulator.base_url, command=often) as it:
        with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            pipe.write(data)
            it.read_until("checking requests: [1-9]")
        it.read_until(NEVER)
        assert it.done.returncode == 0
    told = it.shown.splitlines()
    assert len(set(told)) == len(told)
    assert "\x1b" not in it.shown


def test_who_submits_quietly_sees_nothing(tmp_path: Path, emulator: RunningEmulator) -> None:
    requests(tmp_path / "requests.jsonl", 3)
    code, out, shown = seen("submit", "requests.jsonl", "-q", cwd=tmp_path, base_url=emulator.base_url)
    assert (code, len(out.split()), shown) == (0, 1, "")


def test_who_has_requests_answered_sees_each_step(tmp_path: Path) -> None:
    requests(tmp_path / "requests.jsonl", 300)
    words = ("process", "requests.jsonl", "--to", "answers.jsonl", "--poll-interval", "0.1")
    with running(duration=0.3, retry_after=0, record_bytes=300) as emulator:
        code, _, shown = seen(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert code == 0
    places = [
        re.search(pattern, shown)
        for pattern in (
            "checking requests: 0",
            r"sending batch 1 of 1: 0 B of \d+\.\d kB",
            "reading results|reading .* kB of results",
            "looking for requests to send again: 0 %",
            "putting 300 answers in order: 0 %",
            "300 answers",
        )
    ]
    begins = [place.start() for place in places if place is not None]
    assert len(begins) == len(places)
    assert begins == sorted(begins)


def test_a_retry_is_told_to_who_waits_at_a_terminal(tmp_path: Path) -> None:
    with strange.serving() as server:
        code, out, shown = seen("list", cwd=tmp_path, base_url=server.url + "/flaky")
    assert code == 0
    assert "529 overloaded_error: try later; trying again in" in shown
    assert strange.GOOD in out
