"""What is wrong with request files: each problem with its file, its place there, and the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from streamer.errors import ConfigurationError

KEPT = 1000  # problems that the error holds; all of them are told as they are found

OnProblem = Callable[["Problem"], None]


class Location(msgspec.Struct, frozen=True, gc=False):
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

        >>> Location("requests.jsonl", 3).within
        'line 3'
        """
        return f"line {self.line}" if self.number is None else f"request {self.number} (line {self.line})"


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    Attributes:
        file: the file's name as it was given, or `stdin`.
        line: the line of the request, from 1; None when it is the file as a whole.
        reason: what is wrong, for people, on one line and without control characters.
        number: which request of the file it is, from 1; only in an array, where many may stand in one line.

    >>> str(Problem("requests.jsonl", 3, "the custom_id is empty"))
    'requests.jsonl, line 3: the custom_id is empty'
    """

    file: str
    line: int | None
    reason: str
    number: int | None = None

    def __str__(self) -> str:
        where = self.file if self.line is None else str(Location(self.file, self.line, self.number))
        return f"{where}: {self.reason}"


class InvalidRequestsError(ConfigurationError):
    """The request files cannot be sent as they are; nothing was sent and nothing is left on the disk.

    Attributes:
        problems: the first thousand.
        count: how many there are.
        summary: the message without the first problem, for those who were told of it already.
    """

    def __init__(self, *, problems: Sequence[Problem], count: int) -> None:
        found = "a problem" if count == 1 else f"{count:,} problems"
        self.summary = f"nothing was sent: the requests have {found}"
        super().__init__(self.summary + (": " if count == 1 else "; the first: ") + str(problems[0]))
        self.problems = problems
        self.count = count


class ProblemLog:
    """Tells every problem as it is found and remembers the first ones.

    Args:
        on_problem: is told of each.
    """

    def __init__(self, on_problem: OnProblem) -> None:
        self._on_problem = on_problem
        self._kept: list[Problem] = []
        self.count = 0

    def file(self, file: str, reason: str) -> None:
        """Something is wrong with a file as a whole."""
        self._add(Problem(file, None, reason))

    def request(self, place: Location, reason: str) -> None:
        """Something is wrong with one request."""
        self._add(Problem(place.file, place.line, reason, place.number))

    def error(self) -> InvalidRequestsError:
        """What to raise when everything has been read."""
        return InvalidRequestsError(problems=tuple(self._kept), count=self.count)

    def _add(self, problem: Problem) -> None:
        self.count += 1
        if len(self._kept) < KEPT:
            self._kept.append(problem)
        self._on_problem(problem)


def shown(text: str) -> str:
    r"""Somebody's own text, short enough and safe to print within a message.

    >>> shown("a\nb")
    "'a\\nb'"
    """
    return ascii(text if len(text) <= 80 else text[:80] + "...")
