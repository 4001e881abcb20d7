import pytest

from streamer.emulator.clock import SECOND, EmulatorClock, written


class Monotonic:
    def __init__(self) -> None:
        self.seconds = 5.0

    def __call__(self) -> float:
        return self.seconds


def test_it_runs_as_fast_as_it_is_told_and_jumps_when_told() -> None:
    monotonic = Monotonic()
    clock = EmulatorClock(100, wall=lambda: 1_700_000_000.0, monotonic=monotonic)
    assert clock.now() == 1_700_000_000 * SECOND
    monotonic.seconds += 2
    assert clock.now() == 1_700_000_200 * SECOND
    clock.advance(3600)
    assert clock.now() == 1_700_003_800 * SECOND


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_it_never_goes_back(seconds: float) -> None:
    with pytest.raises(ValueError, match="only forward"):
        EmulatorClock().advance(seconds)


def test_times_are_written_with_microseconds_and_offset_even_when_they_are_zero() -> None:
    assert written(0) == "1970-01-01T00:00:00.000000+00:00"
