"""What all downloads of a run may hold of long records, together: one number of bytes, however many there are.

A record is held until its end has come and its sinks have taken it. Eight of 31.9 MiB at once took 0.6 GB, so whoever
gathers one asks here before it grows further, and waits while there is no room; its connection waits with it.

Nobody waits for ever. Whoever began first may always grow to the longest record there can be, for which room is kept
free; so that one comes to its end, and then the next one is first. What the others hold together is the rest.
"""

from __future__ import annotations

import asyncio

BUDGET = 256 * 1024 * 1024  # bytes that the downloads of a run hold of long records, at most
FREE_OF_CHARGE = 16 * 1024  # bytes under way that nobody counts: a few records of the usual length


class ByteBudget:
    """Bytes shared by all who hold some.

    Args:
        limit: how many they are.
        longest: the most that a single one may need; when that is more than `limit`, one at a time has it.
    """

    def __init__(self, limit: int, longest: int) -> None:
        self._shared = max(0, limit - longest)  # what those that are not the first may take part in
        self._held: dict[object, int] = {}  # by holder, in the order in which they began
        self._freed = asyncio.Event()
        self.used = 0  # bytes that are held now
        self.most = 0  # bytes that were held at once so far

    def __repr__(self) -> str:
        return f"<ByteBudget {self.used:,} bytes held by {len(self._held):,}, {self.most:,} at most>"

    async def hold(self, holder: object, size: int) -> None:
        """Hold so many bytes instead of those before; wait until there is room when it is more.

        Args:
            holder: who; its first bytes decide its turn.
            size: how many.
        """
        if size <= FREE_OF_CHARGE:
            self.release(holder)
            return
        self._held.setdefault(holder, 0)
        while size > self._held[holder] and not self._has_room(holder, size):
            await self._freed.wait()
        self._set(holder, size)

    def release(self, holder: object) -> None:
        """Hold nothing any more; safe to call at any time."""
        if holder in self._held:
            self._set(holder, 0)
            del self._held[holder]
            self._wake()

    def _has_room(self, holder: object, size: int) -> bool:
        first = next(iter(self._held))
        return first is holder or self.used + size - self._held[holder] <= self._shared

    def _set(self, holder: object, size: int) -> None:
        grown = size - self._held[holder]
        self._held[holder] = size
        self.used += grown
        self.most = max(self.most, self.used)
        if grown < 0:
            self._wake()

    def _wake(self) -> None:
        self._freed.set()
        self._freed = asyncio.Event()
