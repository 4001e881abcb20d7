"""What a contender is given to do, and how it says that it did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from time import perf_counter

import msgspec


class Kind(StrEnum):
    """What is done with each record; only contenders of the same kind do the same work."""

    DROP = "read and drop"  #: every byte is read, none is looked at: the limit of the others
    COPY = "copy to a file"  #: the records end up in a file
    HEADS = "id and type"  #: each record's custom_id and type reach Python
    TYPED = "typed decode"  #: each record is decoded as a whole


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Results to fetch.

    Attributes:
        base_url: of a server that answers like the Message Batches API; any key will do.
        results_url: where the results of the first batch are, for contenders that know no batches.
        batch_ids: the batches; all have ended.
        records: how many records they have together.
        size: bytes of their results, decoded.
        body: the results as a file, for contenders that read from memory.
        concurrency: downloads at once.
        certificate: the certificate authority to trust, when the server speaks HTTPS.
        directory: an empty directory for what is written.
    """

    base_url: str
    results_url: str
    batch_ids: list[str]
    records: int
    size: int
    body: str = ""
    concurrency: int = 8
    certificate: str = ""
    directory: str = ""


class Stopwatch:
    """Takes the times of one pass; starts when it is made."""

    def __init__(self) -> None:
        self._begun = perf_counter()
        self._seconds: float | None = None
        self.first_record: float | None = None  # seconds
        self.noted: dict[str, float] = {}  # further figures, by metric

    def first(self) -> None:
        """Say that the first record is there."""
        if self.first_record is None:
            self.first_record = perf_counter() - self._begun

    def took(self, seconds: float) -> None:
        """Say how long it took, when that is less than from start to end, e.g. without starting a process."""
        self._seconds = seconds

    def stop(self) -> float:
        """Seconds that the pass took."""
        return perf_counter() - self._begun if self._seconds is None else self._seconds


#: Does the job once and returns how many records there were, or None when it cannot tell. May be a coroutine function.
Contender = Callable[[Job, Stopwatch], Awaitable[int | None] | int | None]
