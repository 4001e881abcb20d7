"""What is wrong with request files: each fault with its file, its place there, and the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from streamer.api.errors import ConfigurationError

KEPT = 1000  # faults that the error holds; all of them are told as they are found

OnFault = Callable[["Fault"], None]


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a request stands in what the user gave.

    Attributes:
        file: the file's name as it was given, or `stdin`.
        line: the line it begins in, from 1.
        number: which request of the file it is, from 1, where that says more than the line does: in an array.
    """

    file: str
    line: int
    number: int | None = None

    def __str__(self) -> str:
        return f"{self.file}, {self.within}"

    @property
    def within(self) -> str:
        """The place in the file, without the file.

        >>> Place("requests.jsonl", 3).within
        'line 3'
        """
        return f"line {self.line}" if self.number is None else f"request {self.number} (line {self.line})"


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    Attributes:
        file: the file's name as it was given, or `stdin`.
        line: the line of the request, from 1; None when it is the file as a whole.
        reason: what is wrong, for people, on one line and without control characters.
        number: which request of the file it is, from 1; only in an array, where many may stand in one line.

    >>> str(Fault("requests.jsonl", 3, "the custom_id is empty"))
    'requests.jsonl, line 3: the custom_id is empty'
    """

    file: str
    line: int | None
    reason: str
    number: int | None = None

    def __str__(self) -> str:
        where = self.file if self.line is None else str(Place(self.file, self.line, self.number))
        return f"{where}: {self.reason}"


class FaultsError(ConfigurationError):
    """The request files cannot be sent as they are; nothing was sent and nothing is left on the disk.

    Attributes:
        faults: the first thousand.
        count: how many there are.
        summary: the message without the first fault, for those who were told of it already.
    """

    def __init__(self, *, faults: Sequence[Fault], count: int) -> None:
        found = "a fault" if count == 1 else f"{count:,} faults"
        self.summary = f"nothing was sent: the requests have {found}"
        super().__init__(self.summary + (": " if count == 1 else "; the first: ") + str(faults[0]))
        self.faults = faults
        self.count = count


class FaultLog:
    """Tells every fault as it is found and remembers the first ones.

    Args:
        on_fault: is told of each.
    """

    def __init__(self, on_fault: OnFault) -> None:
        self._on_fault = on_fault
        self._kept: list[Fault] = []
        self.count = 0

    def file(self, file: str, reason: str) -> None:
        """Something is wrong with a file as a whole."""
        self._add(Fault(file, None, reason))

    def request(self, place: Place, reason: str) -> None:
        """Something is wrong with one request."""
        self._add(Fault(place.file, place.line, reason, place.number))

    def error(self) -> FaultsError:
        """What to raise when everything has been read."""
        return FaultsError(faults=tuple(self._kept), count=self.count)

    def _add(self, fault: Fault) -> None:
        self.count += 1
        if len(self._kept) < KEPT:
            self._kept.append(fault)
        self._on_fault(fault)


def shown(text: str) -> str:
    r"""Somebody's own text, short enough and safe to print within a message.

    >>> shown("a\nb")
    "'a\\nb'"
    """
    return ascii(text if len(text) <= 80 else text[:80] + "...")
