"""The newest official client drives the emulator through everything it can do with batches."""

from streamer.emulator.running import running
from tests.emulator.official_round import whole_round


def test_the_official_client_makes_its_round() -> None:
    # Batches take just over a second: long enough to cancel one on a busy machine.
    with running(speed=50, duration_spread=0, fill=25) as emulator:
        assert whole_round(emulator.base_url)["ok"]
        stats = emulator.stats()
    assert stats["batches_created"] == 7
    assert stats["answers"].keys() == {"200", "400", "401", "404"}
