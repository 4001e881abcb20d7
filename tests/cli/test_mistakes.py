"""Whatever a person gets wrong is one sentence that says what to do, and the right exit code."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.cli import main
from streamer.emulator.running import RunningEmulator, running
from tests.cli.command import COMMAND, KEY, Started, environment, listed, streamer


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run",), "no batch was named: give ids"),
        (("run", "--ids-from", "-"), "- holds no ids"),
        (("run", "msgbatch_1", "--to", "-", "--json"), "both write to stdout"),
        (("run", "msgbatch_1", "--to", "same-for-all.jsonl"), "{batch_id}"),
        (("run", "msgbatch_1", "--to", "nosuch:thing"), "nosuch:"),
        (("run", "msgbatch_1", "--only", "suceeded"), "'suceeded' is no type of record"),
        (("run", "msgbatch_1", "--concurrency", "0"), "1 or more"),
        (("run", "msgbatch_1", "--poll-interval", "nan"), "above 0"),
        (("run", "--ids-from", "nowhere.txt"), "nowhere.txt: No such file or directory"),
        (("run", "msgbatch_1", "--report", "nowhere/report.json"), "nowhere"),
        (("run", "msgbatch_1", "--report", "."), "directory"),
        (("run", "msgbatch_1", "--requests", "r.jsonl", "--report", "r.jsonl"), "a file needed for something else"),
        (("run", "msgbatch_1", "--trust-host", "https://host/path"), "not a host to trust"),
        (("run", "msgbatch_1", "--base-url", "http://example.com"), "https"),
        (("show", "../x"), "is not a batch id"),
        (("delete", "msgbatch_1"), "say --yes"),
        (("cancel", "msgbatch_1"), "say --yes"),
        (("list", "--expiring", "-1"), "above 0"),
        (("list", "--status", "done"), "in_progress"),
        (("cost",), "TARGET"),
        (("cost", "."), "is a directory; name the files in it"),
        (("cost", "no/such.jsonl"), "no/such.jsonl is neither a file that is there nor the id of a batch"),
        (("cost", "msgbatch_1", "--prices", "nowhere.json"), "nowhere.json: No such file or directory"),
        (("run", "msgbatch_1", "--prices", "nowhere.json"), "nowhere.json: No such file or directory"),
        (("list", "--limit", "0"), "1 or more"),
        (("frobnicate",), "frobnicate"),
        (("run", "nowhere.txt"), "there is no file nowhere.txt, nor can a batch be called so"),
        (("lst",), "there is no command 'lst'; did you mean list?"),
        (("help", "proces"), "did you mean process?"),
        (
            ("run", "msgbatch_1", "--pol-interval", "3"),
            "`streamer run` has no option --pol-interval; did you mean --poll",
        ),
        (("--to", "x", "run"), "--to belongs behind the command: `streamer demo ... --to`"),
        (("list", "msgbatch_1"), "`streamer list` takes no 'msgbatch_1'"),
        (("run", "msgbatch_1", "--api-key", KEY), "the key is taken from ANTHROPIC_API_KEY"),
        (("--api-key", KEY, "list"), "the key is taken from ANTHROPIC_API_KEY"),
        (("run", "--join", "a"), "has no option --join"),
        (("run", "msgbatch_1", "--only", "expird"), "'expird' is no type of record"),
    ],
)
def test_wrong_usage_is_one_sentence_and_2(
    tmp_path: Path,
    words: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    code: object
    try:
        code = main(words)
    except SystemExit as exit_:
        code = exit_.code
    written = capsys.readouterr()
    assert code == 2
    assert says in written.err
    assert len(written.err.splitlines()) == 1
    assert KEY not in written.err
    assert written.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_batch_belongs_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("msgbatch_1")
    done = streamer("run", "ids.txt", cwd=tmp_path, base_url="http://127.0.0.1:9")
    assert done.returncode == 2
    assert "ids.txt is a file, not a batch: for the ids in it say --ids-from ids.txt" in done.stderr
    assert "`streamer submit ids.txt`" in done.stderr


@pytest.mark.parametrize("command", [("run", "msgbatch_1"), ("list",)])
def test_no_key_is_2_and_names_the_variable(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = streamer(*command, cwd=tmp_path, key=None)
    assert done.returncode == 2
    assert "set ANTHROPIC_API_KEY" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def locked() -> Iterator[RunningEmulator]:
    with running(key=("test-right",)) as emulator:
        yield emulator


@pytest.mark.parametrize("command", [("run", "--all"), ("list",)])
def test_a_wrong_key_is_1_and_is_not_shown(tmp_path: Path, command: tuple[str, ...], locked: RunningEmulator) -> None:
    done = streamer(*command, cwd=tmp_path, base_url=locked.base_url)
    assert done.returncode == 1
    assert "401" in done.stderr
    assert "check the key in ANTHROPIC_API_KEY" in done.stderr
    assert KEY not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unreachable_host_is_1_and_named(unreachable: Started) -> None:
    assert unreachable.done.returncode == 1
    [total, sentence] = unreachable.done.stderr.splitlines()
    assert "no connection" in sentence
    assert str(unreachable.base_url).removeprefix("http://") in sentence
    assert "0 of 1 batch delivered" in total


@pytest.mark.parametrize("obstacle", ["a file where a directory should be", "a directory where the file should be"])
def test_an_unusable_target_fails_its_batch_and_no_other(
    tmp_path: Path, emulator: RunningEmulator, obstacle: str
) -> None:
    bad, good, *_ = listed(emulator)
    (tmp_path / "out").mkdir()
    if obstacle == "a file where a directory should be":
        (tmp_path / "out" / bad).touch()
    else:
        (tmp_path / "out" / bad / "results.jsonl").mkdir(parents=True)
    target = "out/{batch_id}/results.jsonl"
    done = streamer("run", bad, good, "--to", target, cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 1
    [sentence, errored, total] = done.stderr.splitlines()
    assert "6 of 30 requests did not succeed" in errored
    assert f"out/{bad}" in sentence
    assert "1 of 2 batches delivered, 1 failed" in total
    assert len((tmp_path / "out" / good / "results.jsonl").read_text().splitlines()) == 30


@pytest.mark.parametrize("words", ["list", "run --all --json -q"])
def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path, emulator: RunningEmulator, words: str) -> None:
    command = f"{' '.join(COMMAND)} {words} | true; exit ${{PIPESTATUS[0]}}"
    env = environment(emulator.base_url, KEY)
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.parametrize("verbose", [True, False])
def test_a_mistake_of_ours_is_one_sentence_too_and_with_v_says_where(verbose: bool) -> None:
    script = f"""
import sys
from streamer.cli import main
from streamer.cli.commands import completion
def broken(args):
    raise ZeroDivisionError("boom \\x1b[31m")
completion.handler = broken
sys.exit(main(["completion", "bash", *{["-v"] * verbose}]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("streamer: ZeroDivisionError: boom \\x1b[31m; this is a mistake in streamer")
    assert ("Traceback" in done.stderr) is verbose


def test_a_fault_of_a_request_file_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text("{\n")
    assert main(["submit", str(file), "--dry-run"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"streamer: {file}, line 1: this is no JSON")
    assert told[1:] == ["streamer: nothing was sent: the requests have a problem"]
