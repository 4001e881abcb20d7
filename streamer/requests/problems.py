"""What is wrong with request files: each problem with its file, its location there, and the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from streamer.errors import ConfigurationError
from streamer.requests.locations import Location

KEPT = 1000  # problems that the error holds; all of them are passed on as they are found
NAMED = 3  # locations of one kind of notice

OnProblem = Callable[["Problem"], None]


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
    """Collects what is found about request files: passes each problem on at once and remembers the first ones.

    Args:
        on_problem: is given each.

    Attributes:
        count: how many problems there are.
        notices: what is no problem, yet worth knowing before money is spent.
    """

    def __init__(self, on_problem: OnProblem) -> None:
        self._on_problem = on_problem
        self._kept: list[Problem] = []
        self.count = 0
        self.notices = Notices()

    def add_to_file(self, file: str, reason: str) -> None:
        """Something is wrong with a file as a whole."""
        self._add(Problem(file, None, reason))

    def add(self, location: Location, reason: str) -> None:
        """Something is wrong with one request."""
        self._add(Problem(location.file, location.line, reason, location.number))

    def error(self) -> InvalidRequestsError:
        """What to raise when everything has been read."""
        return InvalidRequestsError(problems=tuple(self._kept), count=self.count)

    def _add(self, problem: Problem) -> None:
        self.count += 1
        if len(self._kept) < KEPT:
            self._kept.append(problem)
        self._on_problem(problem)


class Notices:
    """Collects what is sent as it is, or left out, and may not be meant so; of each kind the number and the first.

    >>> notices = Notices()
    >>> for line in (3, 4, 6, 9):
    ...     notices.add("row", "left out, without a value for 'item'", Location("a.csv", line))
    >>> notices.sentences()
    ["a.csv: 4 rows left out, without a value for 'item': line 3, line 4, line 6, ..."]
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], list[str]] = {}
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, noun: str, what: str, location: Location, custom_id: str = "") -> None:
        """One more of a kind, which is a noun and what is to be said of so many of them."""
        kind = (location.file, noun, what)
        self._counts[kind] += 1
        if self._counts[kind] <= NAMED:
            self._kinds.setdefault(kind, []).append(location.within + (f" ({custom_id})" if custom_id else ""))

    def sentences(self) -> list[str]:
        """One for each kind, in the order they were found."""
        return [
            f"{file}: {self._counts[file, noun, what]:,} {noun}{'s' * (self._counts[file, noun, what] > 1)} {what}: "
            + ", ".join(first)
            + ", ..." * (self._counts[file, noun, what] > len(first))
            for (file, noun, what), first in self._kinds.items()
        ]


def shown(text: str) -> str:
    r"""Somebody's own text, short enough and safe to print within a message.

    >>> shown("a\nb")
    "'a\\nb'"
    """
    return ascii(text if len(text) <= 80 else text[:80] + "...")
