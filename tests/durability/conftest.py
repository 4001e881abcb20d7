"""Workspaces that all these tests share, and the one event loop they run on: the processes they start use the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.durability.harness import Truth, workspace


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What breaks on the way takes long enough on one event loop; the parts it meets are tested on both."""
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def truth() -> Iterator[Truth]:
    """Three ended batches of 100 records of every type, 150 kB each."""
    with workspace(fill_ended=3, records=100, mix="succeeded=0.85,errored=0.05,canceled=0.05,expired=0.05") as found:
        yield found


@pytest.fixture(scope="session")
def crowd() -> Iterator[Truth]:
    """A hundred ended batches of 12 records."""
    with workspace(fill_ended=100, records=12, record_bytes=800) as found:
        yield found
