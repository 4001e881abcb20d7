"""Work that takes minutes where there is much to do, and how far it has come, for somebody who waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Self, TypeVar

import msgspec

T = TypeVar("T")


class Work(StrEnum):
    """What is being done."""

    CHECKING = "checking"  #: request files are read and checked, byte by byte
    SENDING = "sending"  #: the body of a batch is sent, byte by byte
    READING = "reading"  #: results that came are looked through, byte by byte
    CHOOSING = "choosing"  #: what can be sent again is looked for, request by request
    JOINING = "joining"  #: answers are put into the order of their requests, request by request


class Progress(msgspec.Struct):
    """Some work and how far it has come: live, one thread writes it and any may look at it.

    As a context it is the work's time: `over` once that is left.

    Attributes:
        work: what is being done.
        total: how many bytes or requests there are; 0 where that is not known, as of a pipe.
        done: how many of them are done with.
        requests: where requests are checked, how many so far.
        batch: the number of the batch that is sent, of `batches`.
        over: it has come to its end, one way or the other.

    >>> with Progress(Work.JOINING, total=3) as progress:
    ...     for answer in progress.through("abc"):
    ...         print(answer, progress.done, progress.over)
    a 1 False
    b 2 False
    c 3 False
    >>> progress.over
    True
    """

    work: Work
    total: int = 0
    done: int = 0
    requests: int = 0
    batch: int = 0
    batches: int = 0
    over: bool = False

    def __enter__(self) -> Self:
        self.over = False
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.over = True

    def through(self, things: Iterable[T]) -> Iterator[T]:
        """The same things, each counted as it is taken."""
        for thing in things:
            self.done += 1
            yield thing
