"""What a piece of work may have left behind: tasks, threads, sockets and files that are open."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


def descriptors() -> set[str]:
    """What the open descriptors of this process are, but for those of the event loop."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the descriptor that lists them is closed by now
            found.add(f"{link.name} -> {link.readlink()}")
    # libuv keeps /dev/null open as a spare descriptor.
    return {name for name in found if not any(own in name for own in ("anon_inode", "/proc/", "/dev/null"))}


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Assert that the block leaves no task, no thread and no descriptor behind."""
    tasks, threads, open_before = asyncio.all_tasks(), set(threading.enumerate()), descriptors()
    yield
    for _ in range(5):
        await asyncio.sleep(0)  # closed transports let go of their sockets in the loop's next turns
    assert asyncio.all_tasks() - tasks == set()
    assert [t for t in threading.enumerate() if t not in threads and not t.name.startswith("asyncio_")] == []
    left = descriptors() - open_before
    assert left == set()
