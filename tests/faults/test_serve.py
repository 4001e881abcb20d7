"""The switches of `streamer serve`: the emulator behind the kit, in one process."""

from __future__ import annotations

import subprocess
import sys

from streamer.emulator.running import running
from tests.faults.raw import BATCHES, ask_now


def test_the_emulator_damages_its_own_answers() -> None:
    with running(fill_ended=1, records=20, fault=("fin@50%,n=1", "poll:status=529,n=1"), fault_seed=1) as emulator:
        batch_id = ask_now(emulator.base_url, BATCHES).json()["data"][0]["id"]
        assert ask_now(emulator.base_url, f"{BATCHES}/{batch_id}").status == 529
        batch = ask_now(emulator.base_url, f"{BATCHES}/{batch_id}").json()
        assert batch["results_url"] == f"{emulator.base_url}{BATCHES}/{batch_id}/results"
        cut, whole = (ask_now(emulator.base_url, f"{BATCHES}/{batch_id}/results") for _ in range(2))
        assert (len(cut.content), cut.finished) == (len(whole.content) // 2, False)
        assert whole.finished
        assert emulator.stats()["requests"] == {"list": 1, "retrieve": 1, "results": 2, "stats": 1}


def test_a_fault_that_cannot_be_read_is_one_line_and_exit_code_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamer", "serve", "--fault", "finn@50%"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "fault 'finn@50%': no fault is called 'finn'; known faults: big_header, " in done.stderr


def test_the_help_tells_of_the_switch() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamer", "serve", "--help"], capture_output=True, text=True, check=True
    )
    assert "results:fin@50%,p=0.2" in done.stdout
