"""What the ledger keeps, refuses, and survives."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigurationError, InUseError, SubmissionError
from streamer.requests.slices import Slice
from streamer.submission.ledger import Ledger, State
from tests.submission.spools import planned

HALVES = [Slice(0, 10, 1), Slice(10, 30, 2)]


def test_a_batch_goes_from_planned_to_intended_to_created(tmp_path: Path) -> None:
    ledger = planned(tmp_path, "a", "b", "c")
    assert [one.state for one in ledger.batches()] == [State.PLANNED, State.PLANNED]
    ledger.intend(1, 100.0, 90.0)
    [first, _] = ledger.batches()
    assert (first.state, first.intended_at, first.since) == (State.INTENDED, 100.0, 90.0)
    ledger.created(1, "msgbatch_1")
    [first, second] = ledger.batches()
    assert (first.state, first.batch_id, first.slice.requests) == (State.CREATED, "msgbatch_1", 2)
    ledger.intend(2, 101.0)
    ledger.withdraw(2)
    assert ledger.batches()[1] == second
    ledger.close()


def test_all_of_it_is_there_after_a_restart(tmp_path: Path) -> None:
    before = Ledger(tmp_path / "deep" / "project")
    before.plan(1, "requests.jsonl", "abc", HALVES)
    before.intend(2, 5.0)
    kept = before.batches(), before.spools()
    before.close()
    after = Ledger(tmp_path / "deep" / "project")
    assert (after.batches(), after.spools()) == kept
    after.close()


def test_before_anything_was_sent_a_new_plan_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.plan(1, "requests.jsonl", "abc", HALVES)
    ledger.intend(1, 1.0)
    ledger.withdraw(1)
    ledger.plan(1, "requests.jsonl", "xyz", HALVES[:1])
    assert [one.slice for one in ledger.batches()] == HALVES[:1]
    ledger.close()


def test_once_something_was_sent_the_plan_stays_and_other_requests_are_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.plan(1, "requests.jsonl", "abc", HALVES)
    ledger.intend(1, 1.0)
    ledger.plan(1, "requests.jsonl", "abc", [])
    assert [one.slice for one in ledger.batches()] == HALVES
    with pytest.raises(ConfigurationError, match="another project"):
        ledger.plan(1, "requests.jsonl", "xyz", HALVES)
    assert [spool.digest for spool in ledger.spools()] == ["abc"]
    ledger.close()


def test_attempts_are_kept_apart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.plan(1, "requests.jsonl", "abc", HALVES)
    ledger.plan(2, "retry-2.jsonl", "def", HALVES[:1])
    assert [(one.attempt, one.spool) for one in ledger.batches(2)] == [(2, "retry-2.jsonl")]
    assert [one.number for one in ledger.batches()] == [1, 2, 3]
    ledger.close()


def test_batches_made_elsewhere_are_adopted_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.plan(1, "requests.jsonl", "abc", [])
    ledger.adopt(1, ["msgbatch_a", "msgbatch_b"])
    ledger.adopt(1, ["msgbatch_b", "msgbatch_c"])
    assert [one.batch_id for one in ledger.batches(1)] == ["msgbatch_a", "msgbatch_b", "msgbatch_c"]
    assert all(one.state is State.CREATED for one in ledger.batches())
    ledger.close()


def test_a_created_batch_is_never_intended_withdrawn_or_created_again(tmp_path: Path) -> None:
    ledger = planned(tmp_path, "a")
    ledger.intend(1, 1.0)
    ledger.created(1, "msgbatch_1")
    changes = partial(ledger.intend, 1, 2.0), partial(ledger.withdraw, 1), partial(ledger.created, 1, "other")
    for change in changes:
        with pytest.raises(SubmissionError, match="not created yet"):
            change()
    assert ledger.batches()[0].batch_id == "msgbatch_1"
    ledger.close()


def test_a_second_process_is_told_that_the_project_is_in_use(tmp_path: Path) -> None:
    ledger = planned(tmp_path, "a")
    script = "import sys; from streamer.submission.ledger import Ledger; Ledger(sys.argv[1]).batches()"
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "in use by another process" in done.stderr
    ledger.close()
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)


def test_an_intent_survives_a_kill_right_after_it(tmp_path: Path) -> None:
    planned(tmp_path, "a").close()
    script = (
        "import os, sys; from streamer.submission.ledger import Ledger\n"
        f"Ledger(sys.argv[1]).intend(1, 7.0); os.kill(os.getpid(), {signal.SIGKILL:d})"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    ledger = Ledger(tmp_path)
    assert ledger.batches()[0].state is State.INTENDED
    ledger.close()


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 100])
def test_a_damaged_ledger_is_refused_and_left_as_it_is(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(damage)
    ledger = Ledger(tmp_path)
    with pytest.raises(SubmissionError, match=r"cannot be trusted.*streamer list"):
        ledger.batches()
    assert path.read_bytes() == damage


def test_a_project_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SubmissionError, match="file"):
        Ledger(tmp_path / "file" / "project").batches()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    planned(tmp_path, "a").close()
    assert (tmp_path / "ledger.sqlite").stat().st_mode & 0o077 == 0


STEPS = st.lists(st.tuples(st.sampled_from(["intend", "withdraw", "created"]), st.integers(1, 3)), max_size=12)


@given(STEPS)
def test_whatever_is_done_an_id_once_written_stays(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    ledger = planned(tmp_path_factory.mktemp("ledger"), "a", "b", "c", each=1)
    ledger._connection.execute("PRAGMA synchronous = OFF")  # type: ignore[union-attr]  # a hundred ledgers, no power cut
    written: dict[int, str] = {}
    for n, (step, number) in enumerate(steps):
        if number in written:
            continue
        if step == "intend":
            ledger.intend(number, float(n))
        elif step == "withdraw":
            ledger.withdraw(number)
        else:
            ledger.created(number, f"msgbatch_{n}")
            written[number] = f"msgbatch_{n}"
    assert {one.number: one.batch_id for one in ledger.batches() if one.batch_id} == written
    ledger.close()


def test_of_many_that_begin_at_once_one_works_and_the_others_are_told(tmp_path: Path) -> None:
    for round_number in range(20):
        project = tmp_path / f"project-{round_number}"
        ledgers = [Ledger(project) for _ in range(4)]
        together = Barrier(len(ledgers))

        def begin(ledger: Ledger, together: Barrier = together) -> str:
            together.wait()
            try:
                ledger.plan(1, "requests.jsonl", "abc", HALVES)
            except InUseError as error:
                ledger.remove()
                return str(error)
            return ""

        with ThreadPoolExecutor(len(ledgers)) as pool:
            told = sorted(pool.map(begin, ledgers))
        assert told[0] == ""
        assert all("in use by another process" in one for one in told[1:])
        for ledger in ledgers:
            ledger.close()
        again = Ledger(project)
        assert len(again.batches()) == len(HALVES)
        again.close()
        assert [file.name for file in project.iterdir()] == ["ledger.sqlite"]


def test_only_a_ledger_of_which_nothing_was_planned_is_removed(tmp_path: Path) -> None:
    unused = Ledger(tmp_path / "unused")
    assert unused.batches() == []
    unused.remove()
    assert not (tmp_path / "unused").exists()
    used = Ledger(tmp_path / "used")
    used.plan(1, "requests.jsonl", "abc", HALVES)
    used.remove()
    assert len(used.batches()) == len(HALVES)
    used.close()
