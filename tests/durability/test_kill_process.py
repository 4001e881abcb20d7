"""A few kills of `streamer process`; `python -m tests.durability.kill_process` does a hundred."""

from __future__ import annotations

from tests.durability.kill_process import kill_loop


def test_every_request_is_answered_once_and_no_batch_is_created_twice_over_kills() -> None:
    result = kill_loop(kills=5, seed=5, say=lambda text: None)
    assert result.kills == 5
    assert result.requests > 0
    assert (result.wrong, result.doubled) == (0, 0), result
