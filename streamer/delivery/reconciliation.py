"""What was asked for against what was answered, by name: which custom_ids are missing, and which nobody asked for.

The counts of a batch say how many records there must be; only whoever made the requests knows which. Plain data, no
I/O. It holds every expected custom_id in memory: about 100 bytes each.
"""

from __future__ import annotations

from collections.abc import Iterable

from streamer.results.accounting import NAMED


class Reconciliation:
    """The custom_ids that must be answered, over all batches of a run.

    >>> expected = Reconciliation(["a", "b", "c"])
    >>> expected.unknown(["a", "x"])
    ['x']
    >>> expected.answered(["a"])
    >>> expected.missing
    2
    >>> expected.missing_ids()
    ['b', 'c']
    """

    def __init__(self, custom_ids: Iterable[str]) -> None:
        self._expected = dict.fromkeys(custom_ids, False)  # whether it has been answered
        self._answered = 0

    def __repr__(self) -> str:
        return f"<Reconciliation {self._answered:,} of {len(self._expected):,} answered>"

    @property
    def missing(self) -> int:
        """How many have not been answered."""
        return len(self._expected) - self._answered

    def unknown(self, custom_ids: Iterable[str]) -> list[str]:
        """Those that nobody asked for."""
        return [custom_id for custom_id in custom_ids if custom_id not in self._expected]

    def answered(self, custom_ids: Iterable[str]) -> None:
        """These have been answered."""
        for custom_id in custom_ids:
            if self._expected.get(custom_id) is False:
                self._expected[custom_id] = True
                self._answered += 1

    def missing_ids(self) -> list[str]:
        """The first of those that have not been answered, in the order they were given."""
        found: list[str] = []
        for custom_id, answered in self._expected.items():
            if len(found) == NAMED:
                break
            if not answered:
                found.append(custom_id)
        return found
