"""Work that takes a while, followed for people: a line that says how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from streamer.cli.show.formatting import plural, size
from streamer.progress import Progress, Work
from streamer.report import BatchReport


def line(progress: Progress) -> str:
    """How far something has come.

    >>> line(Progress(Work.CHECKING, total=200, done=122, requests=3_412_000))
    'checking requests: 3,412,000 (61 %)'
    >>> line(Progress(Work.SENDING, total=256_000_000, done=112_000_000, batch=3, batches=7))
    'sending batch 3 of 7: 112.0 MB of 256.0 MB'
    >>> line(Progress(Work.JOINING, total=250_000, done=100_000))
    'putting 250,000 answers in order: 40 %'
    """
    if progress.work is Work.SENDING:
        return (
            f"sending batch {progress.batch:,} of {progress.batches:,}: {size(progress.done)} of {size(progress.total)}"
        )
    share = (
        f"{min(100, 100 * progress.done // progress.total)} %" if progress.total else ""
    )  # a file may grow meanwhile
    if progress.work is Work.CHECKING:
        return f"checking requests: {progress.requests:,}" + (f" ({share})" if share else "")
    if progress.work is Work.READING:
        return f"reading {size(progress.total)} of results: {share}" if share else "reading results"
    if progress.work is Work.CHOOSING:
        return f"looking for requests to send again: {share or f'{progress.done:,}'}"
    if share:
        return f"putting {plural(progress.total, 'answer')} in order: {share}"
    return f"putting answers in order: {progress.done:,}"


class ProgressLine:
    """The work that is under way, for who looks on.

    Attributes:
        redraw: shows at once what there is to see; does nothing unless it is set.
    """

    def __init__(self) -> None:
        self.redraw: Callable[[], None] = lambda: None
        self._progress: Progress | None = None

    def working(self, progress: Progress) -> None:
        """Some other work begins."""
        self._progress = progress
        self.redraw()

    def busiest(self, most: int) -> list[BatchReport]:
        """No batch is delivered."""
        return []

    def lines(self, now: datetime) -> list[str]:
        """How far it has come; nothing when nothing is under way."""
        return [] if self._progress is None or self._progress.over else [line(self._progress)]
