"""What downloads hold of long records together: bounded, in turns, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest

from streamer.results.record import Record
from streamer.runs.options import RunOptions
from streamer.runs.run import run
from streamer.sinks.callback import CallbackSink
from streamer.sources.budget import FREE_OF_CHARGE, ByteBudget
from tests.emulated import tidily_emulated
from tests.runs.test_run import everything

K = FREE_OF_CHARGE


@pytest.mark.parametrize("seed", range(20))
async def test_however_they_grow_the_bound_holds_and_all_come_to_their_end(seed: int) -> None:
    rng = Random(seed)
    longest, limit = 100 * K, rng.choice((100, 150, 400)) * K
    budget = ByteBudget(limit, longest)

    async def gather(name: int) -> None:
        for _ in range(10):
            size = rng.randrange(longest)
            for held in range(K, size, 10 * K):
                await budget.hold(name, held)
                if rng.random() < 0.5:
                    await asyncio.sleep(0)
            await budget.hold(name, size)
            await asyncio.sleep(0)
            budget.release(name)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for name in range(20):
            group.create_task(gather(name))
    assert 0 < budget.most <= limit
    assert budget.used == 0


async def test_who_began_first_goes_first_and_who_is_cancelled_gives_everything_back() -> None:
    budget = ByteBudget(150 * K, 100 * K)
    order: list[str] = []

    async def finish(name: str) -> None:
        await budget.hold(name, 90 * K)
        order.append(name)

    await budget.hold("a", 25 * K)
    await budget.hold("b", 25 * K)  # now what all but the first may hold is held
    later = asyncio.create_task(finish("b"))
    await asyncio.sleep(0)
    await asyncio.wait_for(finish("a"), 1)  # may always grow
    assert order == ["a"]
    third = asyncio.create_task(finish("c"))
    await asyncio.sleep(0)
    budget.release("a")
    await asyncio.wait_for(later, 1)
    assert order == ["a", "b"]
    third.cancel()
    await asyncio.wait([third])
    budget.release("c")
    budget.release("b")
    assert budget.used == 0
    await asyncio.wait_for(finish("d"), 1)


async def test_a_record_longer_than_the_budget_has_it_alone() -> None:
    budget = ByteBudget(10 * K, 100 * K)
    await budget.hold("a", 100 * K)
    other = asyncio.create_task(budget.hold("b", 20 * K))
    await asyncio.sleep(0)
    assert not other.done()
    budget.release("a")
    await asyncio.wait_for(other, 1)


@pytest.mark.parametrize("sink", ["file", "callback"])
async def test_long_records_at_once_are_held_in_turns_and_all_are_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sink: str
) -> None:
    budgets: list[ByteBudget] = []

    class Kept(ByteBudget):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            budgets.append(self)

    monkeypatch.setattr("streamer.delivery.deliver.ByteBudget", Kept)
    monkeypatch.setattr("streamer.delivery.deliver.BUDGET", 5_000_000)
    seen: list[Record] = []
    target = tmp_path / "{batch_id}.jsonl" if sink == "file" else CallbackSink(seen.append)
    async with tidily_emulated(fill_ended=8, records=3, huge_bytes=1_900_000) as (client, clock):
        options = RunOptions(concurrency=8, max_record_bytes=2_000_000)
        report = await run(client, await everything(client), target, options, clock=clock)
    assert report.complete
    assert sum(report.records.values()) == 24
    [budget] = budgets
    assert 1_900_000 < budget.most <= 5_000_000
    assert budget.used == 0
