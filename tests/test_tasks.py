"""Tasks at once whose end is not taken for success, and waits that come to their end."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import pytest

from streamer.errors import StreamerError
from streamer.tasks import asked_to_end, end_if_asked, together, wait_out
from tests.leftovers import nothing_left


async def value(number: int) -> int:
    await asyncio.sleep(0)
    return number


async def for_ever() -> int:
    await asyncio.Event().wait()
    raise AssertionError


async def fails(message: str) -> int:
    await asyncio.sleep(0)
    raise ValueError(message)


async def test_what_they_return_comes_in_their_order() -> None:
    assert await together("t", [value(n) for n in range(5)]) == [0, 1, 2, 3, 4]
    assert await together("t", []) == []


async def test_the_first_that_fails_ends_the_others_and_is_raised_itself() -> None:
    async def fails_at_its_end() -> int:
        try:
            return await for_ever()
        finally:
            raise KeyError("late")

    async with nothing_left():
        with pytest.raises(ValueError, match="early") as caught:
            await together("t", [for_ever(), fails_at_its_end(), fails("early")])
    assert caught.value.__notes__ == ["besides, in t: KeyError('late')"]


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_one_that_somebody_else_cancels_is_an_error(turns: int) -> None:
    async def cancel() -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        [victim] = [task for task in asyncio.all_tasks() if task.get_name() == "t 1"]
        victim.cancel()
        return await for_ever()

    async with nothing_left():
        with pytest.raises(StreamerError, match="the task 't 1' was cancelled"):
            await together("t", [cancel(), for_ever()])


async def test_one_that_cancels_itself_and_returns_is_an_error() -> None:
    async def cancels_itself() -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return 1

    with pytest.raises(StreamerError, match="'t 0' was cancelled"):
        await together("t", [cancels_itself()])


async def test_a_cancellation_ends_all_and_what_fails_then_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fails_at_its_end() -> int:
        try:
            return await for_ever()
        finally:
            await asyncio.sleep(0)
            raise KeyError("late")

    async with nothing_left():
        task = asyncio.create_task(together("t", [for_ever(), fails_at_its_end()]))
        await asyncio.sleep(0.01)
        task.cancel()
        with caplog.at_level(logging.WARNING, "streamer.tasks"):
            await asyncio.wait([task])
        assert task.cancelled()
    assert "KeyError('late')" in caplog.text


async def test_a_second_cancellation_reaches_an_end_that_hangs() -> None:
    async def hangs_at_its_end() -> int:
        try:
            return await for_ever()
        finally:
            await for_ever()

    async with nothing_left():
        task = asyncio.create_task(together("t", [together("u", [hangs_at_its_end()])]))
        for _ in range(2):
            await asyncio.sleep(0.01)
            assert not task.done()
            task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()


async def test_a_wait_that_is_cancelled_comes_to_its_end_and_then_lets_it_through() -> None:
    events = [asyncio.Event(), asyncio.Event()]
    work = [asyncio.create_task(event.wait()) for event in events]
    task = asyncio.create_task(wait_out(lambda: [one for one in work if not one.done()]))
    for event in events:
        for _ in range(2):
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        event.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert all(one.done() for one in work)


async def test_whether_somebody_has_cancelled_us_is_known_even_when_it_was_kept_silent() -> None:
    async def deaf() -> bool:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        end_if_asked()
        return True

    assert not asked_to_end()
    end_if_asked()
    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
