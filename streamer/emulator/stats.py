"""What the emulator counts, for tests and for the curious."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class EmulatorStats:
    """Counters since the start."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()  # by operation
        self.answers: Counter[int] = Counter()  # by status
        self.batches_created = 0
        self.bodies_repeated = 0  # of creates that were accepted: those with the very body of an earlier one
        self.bytes_sent = 0  # of bodies, after compression
        self._downloads = 0
        self._most_downloads = 0
        self._bodies: set[bytes] = set()  # digests

    def created(self, body: bytes) -> None:
        """Counts a batch; `body` is the digest of what it was created from."""
        self.batches_created += 1
        self.bodies_repeated += body in self._bodies
        self._bodies.add(body)

    @contextmanager
    def download(self) -> Iterator[None]:
        """Counts a results download while it runs."""
        self._downloads += 1
        self._most_downloads = max(self._most_downloads, self._downloads)
        try:
            yield
        finally:
            self._downloads -= 1

    def as_object(self) -> dict[str, Any]:
        """All of it, as it goes into JSON."""
        return {
            "requests": dict(self.requests),
            "answers": {str(status): count for status, count in self.answers.items()},
            "batches_created": self.batches_created,
            "bodies_repeated": self.bodies_repeated,
            "bytes_sent": self.bytes_sent,
            "downloads": self._downloads,
            "most_downloads": self._most_downloads,
        }
