"""An emulator to stand in front of, and what is true about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamer.emulator.running import RunningEmulator, running
from tests.faults.raw import BATCHES, Truth, ask_now


@pytest.fixture(scope="session")
def emulator() -> Iterator[RunningEmulator]:
    """One with two ended batches of 60 records, about 36 KB each; keys of any kind will do."""
    with running(fill_ended=2, records=60, record_bytes=600, speed=1000) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def truth(emulator: RunningEmulator) -> Truth:
    """A batch and its results as the emulator itself gives them."""
    batch_id = ask_now(emulator.base_url, BATCHES).json()["data"][0]["id"]
    return Truth(emulator.base_url, batch_id, ask_now(emulator.base_url, f"{BATCHES}/{batch_id}/results").content)
