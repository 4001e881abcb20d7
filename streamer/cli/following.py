"""Work that takes a while, followed for people: a line that says how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from streamer.cli.output import plural, size
from streamer.report import BatchReport
from streamer.step import Step, Work


def line(step: Step) -> str:
    """How far something has come.

    >>> line(Step(Work.CHECKING, total=200, done=122, requests=3_412_000))
    'checking requests: 3,412,000 (61 %)'
    >>> line(Step(Work.SENDING, total=256_000_000, done=112_000_000, batch=3, batches=7))
    'sending batch 3 of 7: 112.0 MB of 256.0 MB'
    >>> line(Step(Work.JOINING, total=250_000, done=100_000))
    'putting 250,000 answers in order: 40 %'
    """
    if step.work is Work.SENDING:
        return f"sending batch {step.batch:,} of {step.batches:,}: {size(step.done)} of {size(step.total)}"
    share = f"{min(100, 100 * step.done // step.total)} %" if step.total else ""  # a file may grow meanwhile
    if step.work is Work.CHECKING:
        return f"checking requests: {step.requests:,}" + (f" ({share})" if share else "")
    if step.work is Work.READING:
        return f"reading {size(step.total)} of results: {share}" if share else "reading results"
    if step.work is Work.CHOOSING:
        return f"looking for requests to send again: {share or f'{step.done:,}'}"
    if share:
        return f"putting {plural(step.total, 'answer')} in order: {share}"
    return f"putting answers in order: {step.done:,}"


class Following:
    """The work that is under way, for who looks on.

    Attributes:
        redraw: shows at once what there is to see; does nothing unless it is set.
    """

    def __init__(self) -> None:
        self.redraw: Callable[[], None] = lambda: None
        self._step: Step | None = None

    def working(self, step: Step) -> None:
        """Some other work begins."""
        self._step = step
        self.redraw()

    def busiest(self, most: int) -> list[BatchReport]:
        """No batch is delivered."""
        return []

    def lines(self, now: datetime) -> list[str]:
        """How far it has come; nothing when nothing is under way."""
        return [] if self._step is None or self._step.over else [line(self._step)]
