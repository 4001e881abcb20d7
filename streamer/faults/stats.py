"""What the proxy counts, for tests: never what a key is, only whether one came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from streamer.faults.http1 import RequestHead

KEY_FIELDS = ("x-api-key", "authorization", "proxy-authorization", "cookie")


class FaultStats:
    """Counters since the start."""

    def __init__(self) -> None:
        self.connections = 0
        self.open_connections = 0
        self.requests: Counter[str] = Counter()  # by operation
        self.with_key: Counter[str] = Counter()  # of these, those that came with a key, a token or a cookie
        self.with_range: Counter[str] = Counter()  # of these, those that asked for a part

    @contextmanager
    def connection(self) -> Iterator[None]:
        """Count a connection, and that it is open while the block runs."""
        self.connections += 1
        self.open_connections += 1
        try:
            yield
        finally:
            self.open_connections -= 1

    def count(self, operation: str, request: RequestHead) -> None:
        """Count a request."""
        self.requests[operation] += 1
        self.with_key[operation] += any(request.get(name) is not None for name in KEY_FIELDS)
        self.with_range[operation] += request.get("range") is not None

    def as_object(self, struck: Mapping[str, int]) -> dict[str, Any]:
        """All of it, as it goes into JSON.

        Args:
            struck: how often each fault has struck, by its text.
        """
        return {
            "connections": self.connections,
            "open_connections": self.open_connections,
            "requests": dict(self.requests),
            "with_key": +self.with_key,
            "with_range": +self.with_range,
            "faults": dict(struck),
        }
