"""Whether bytes come fast enough: plain arithmetic over seconds and bytes, no clock and no network."""

from __future__ import annotations


class Throughput:
    """Bytes that came against the time that was spent waiting for them.

    A server that sends a byte now and then never trips a time-out between two pieces, and would hold a download for
    ever. Only waiting counts: while a slow sink holds the download back nobody waits for the network.

    Args:
        least: bytes a second that must come.
        window: seconds of waiting over which they are counted.

    >>> meter = Throughput(least=1024, window=60)
    >>> [meter.too_slow(seconds=20, size=20) for _ in range(3)]
    [False, False, True]
    """

    def __init__(self, *, least: float, window: float) -> None:
        self._least = least
        self._window = window
        # A single wait may be long because the event loop was held up, so it alone proves nothing.
        self._longest = window / 2
        self._waited = 0.0
        self._came = 0

    def __repr__(self) -> str:
        return f"<Throughput {self._came:,} bytes in {self._waited:.1f} s, at least {self._least:g} a second>"

    def too_slow(self, *, seconds: float, size: int) -> bool:
        """Take one wait and what it brought; True when a whole window has passed with too little.

        Args:
            seconds: how long the wait was.
            size: bytes that it brought.
        """
        self._waited += min(seconds, self._longest)
        self._came += size
        if self._waited < self._window:
            return False
        slow = self._came < self._least * self._waited
        self._waited, self._came = 0.0, 0
        return slow
