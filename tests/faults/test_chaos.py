"""All faults at once, clients that come and go, and nothing left of it."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from streamer.faults.kinds import KINDS
from tests.faults.raw import BATCHES, Truth, connected, damaging, request, until

VALUES = {
    "status": "=503",
    "body": "=html",
    "redirect": "=self",
    "bomb": "=5m",
    "length": "=-5",
    "poison": "=deep",
    "drip": "=200k",
    "slice": "=3000",
}


def everything() -> list[str]:
    """Every fault, on results and on polls, each seldom."""
    return [
        f"{operation}:{name}{VALUES.get(name, '')}{'@random' if kind.place is not None else ''},p=0.04"
        for name, kind in KINDS.items()
        for operation in ("results", "poll")
    ]


async def visit(base_url: str, target: str, random: Random) -> None:
    """Ask for something, or say nonsense, and leave at any time."""
    try:
        async with asyncio.timeout(random.random() / 5), connected(base_url) as (reader, writer):
            nonsense = random.randbytes(random.randrange(200)) + b"\r\n\r\n"
            part = {"range": f"bytes={random.randrange(40_000)}-"} if random.random() < 0.3 else {}
            writer.write(nonsense if random.random() < 0.1 else request(target, part, last=random.random() < 0.5))
            while await reader.read(random.randrange(1, 50_000)) and random.random() > 0.02:
                pass
    except (ConnectionError, TimeoutError):
        pass


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_happens_nothing_breaks_and_nothing_is_left(truth: Truth, seed: int) -> None:
    random = Random(seed)
    faults = everything()
    random.shuffle(faults)
    async with damaging(truth.upstream, *faults, seed=seed) as base_url:
        for _ in range(3):
            targets = random.choices([truth.path, truth.poll, BATCHES], [5, 3, 1], k=40)
            await asyncio.gather(*(visit(base_url, target, random) for target in targets))
        await until(base_url, lambda counts: counts["open_connections"] == 0)
