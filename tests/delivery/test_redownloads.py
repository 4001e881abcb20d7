"""When downloads that bring nothing new are given up: a decision over plain numbers."""

from __future__ import annotations

from random import Random

from streamer.delivery.redownloads import CLEAN_DOWNLOADS, FRUITLESS_DOWNLOADS, RedownloadPolicy


def test_progress_resets_the_count_and_pauses_grow_but_stay_bounded() -> None:
    redownloads = RedownloadPolicy(Random(1))
    assert all(redownloads.pause(progressed=True, clean=False) is not None for _ in range(100))
    pauses = [redownloads.pause(progressed=False, clean=False) for _ in range(FRUITLESS_DOWNLOADS)]
    assert pauses[-1] is None
    assert all(pause is not None and 0 <= pause <= 60 for pause in pauses[:-1])


def test_clean_but_incomplete_downloads_are_given_up_sooner() -> None:
    redownloads = RedownloadPolicy(Random(1))
    pauses = [redownloads.pause(progressed=False, clean=True) for _ in range(CLEAN_DOWNLOADS)]
    assert [pause is None for pause in pauses] == [False] * (CLEAN_DOWNLOADS - 1) + [True]
