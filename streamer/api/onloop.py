"""Things that belong to one event loop, for an object that may outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from streamer.errors import ConfigurationError

T = TypeVar("T")


class OnLoop(Generic[T]):
    """Something of the running event loop, made anew on the next one.

    So a client may be used in one `asyncio.run` after another; not on two loops at once, where each would wait for what
    only the other can wake.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thing: T | None = None
        self._left: T | None = None  # of the loop before, which is closed

    def get(self) -> T:
        """The thing of the loop that runs.

        Raises:
            ConfigurationError: it was used on another loop, which is not closed.
        """
        loop = asyncio.get_running_loop()
        if self._thing is None or loop is not self._loop:
            if self._loop is not None and not self._loop.is_closed():
                raise ConfigurationError(
                    "the client is used on another event loop, which is still open; make a Client for each loop, or "
                    "use it on the next loop when the first is closed"
                )
            self._left, self._thing, self._loop = self._thing, self._make(), loop
        return self._thing

    def take_left(self) -> T | None:
        """What was left of the loop before, once, for its owner to let go of."""
        left, self._left = self._left, None
        return left
