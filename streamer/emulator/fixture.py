"""A pytest plugin: the fixture `streamer_emulator`, for projects that test against the Message Batches API.

    def test_my_code(streamer_emulator):
        my_code(base_url=streamer_emulator.base_url, api_key=streamer_emulator.api_key)
        assert streamer_emulator.stats()["requests"]["create"] == 1

Settings go into a marker: `@pytest.mark.streamer_emulator(speed=100, fill=20)`.

pytest imports this file in every project that has us installed, and before coverage starts to measure: so it imports
nothing of ours until the fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.emulator.running import RunningEmulator


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, for projects that are strict about them."""
    config.addinivalue_line("markers", "streamer_emulator(**settings): settings of the streamer_emulator fixture")


@pytest.fixture
def streamer_emulator(request: pytest.FixtureRequest) -> Iterator[RunningEmulator]:
    """A fresh emulator in its own process, a hundred times faster than the clock; it is gone after the test."""
    from streamer.emulator.running import running

    marker = request.node.get_closest_marker("streamer_emulator")
    settings = {"speed": 100} | (dict(marker.kwargs) if marker is not None else {})
    with running(**settings) as emulator:
        yield emulator
