"""Progress on a terminal: the busiest batches, and what else is done, four times a second with rich.

Without rich a plain line every five seconds; where stderr is no terminal, nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol

from streamer.api.masking import escaped
from streamer.cli.show.formatting import size
from streamer.cli.show.progressline import ProgressLine
from streamer.cli.stdio import say
from streamer.report import BatchReport

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

DRAWING_SECONDS = 0.25  # drawing takes some 0.5 ms a row, so a fiftieth of a core
PLAIN_SECONDS = 5.0
ROWS = 15  # batches shown: more would cost time and say nothing
LINES_FREE = 4  # kept for what is below the batches, which is never cut off: on a narrow terminal it wraps
BAR = 16  # columns: with it a row of 100,000 records fits into 80


class View(Protocol):
    """What is shown."""

    def busiest(self, most: int) -> list[BatchReport]:
        """The batches with a row of their own."""
        ...

    def lines(self, now: datetime) -> list[str]:
        """What is below them; nothing when nothing is to be shown at all."""
        ...


@asynccontextmanager
async def shown(view: View, *, on: bool) -> AsyncIterator[Callable[[], None]]:
    """Show the view while the block runs, if it is `on` and stderr is a terminal.

    Yields:
        A call that draws it anew at once, for the thread of the event loop.
    """
    if not (on and sys.stderr.isatty()):
        yield _nothing
        return
    with closing(_way(view)) as way:
        task = asyncio.create_task(_tick(way), name="streamer progress")
        try:
            yield way.redraw
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@contextmanager
def shown_beside(progress_line: ProgressLine, *, on: bool) -> Iterator[None]:
    """The same for a block that has no event loop: a thread beside it draws, which may read this at any time."""
    if not (on and sys.stderr.isatty()):
        yield
        return
    with closing(_way(progress_line)) as way:
        over = Event()
        thread = Thread(target=_tick_until, args=(over, way), name="streamer progress")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _nothing() -> None:
    """Nobody looks on."""


async def _tick(way: _Drawing | _Plain) -> None:
    while True:
        way.show()
        await asyncio.sleep(way.seconds)


def _tick_until(over: Event, way: _Drawing | _Plain) -> None:
    way.show()
    while not over.wait(way.seconds):
        way.show()


def _way(view: View) -> _Drawing | _Plain:
    """How it can be shown here."""
    try:
        return _Drawing(view)
    except ImportError:
        return _Plain(view)


class _Plain:
    """A line each time, unless it would say what the last one said.

    Args:
        view: what is shown.
    """

    def __init__(self, view: View) -> None:
        self.seconds = PLAIN_SECONDS
        self._view = view
        self._said = ""

    def show(self) -> None:
        """Say how things stand."""
        text = "; ".join(self._view.lines(datetime.now(UTC)))
        if text and text != self._said:
            say(text)
        self._said = text

    def redraw(self) -> None:
        """The next line comes when it is time for it."""

    def close(self) -> None:
        """Nothing is left to be removed."""


class _Drawing:
    """The part of the terminal that is drawn anew; gone while there is nothing to show, and in the end.

    Drawn by whoever may look at the view and not by rich's own thread, since a run's counters change under a thread's
    hands. What is written to stderr meanwhile appears above it; stdout is the data's and stays as it is.

    Args:
        view: what is shown.

    Raises:
        ImportError: there is no rich.
    """

    def __init__(self, view: View) -> None:
        from rich.console import Console

        self.seconds = DRAWING_SECONDS
        self._view = view
        self._console = Console(file=sys.stderr, highlight=False)
        self._live: Live | None = None
        self._width = 0  # columns when it was drawn,
        self._lengths: list[int] = []  # and those of its lines

    def show(self) -> None:
        """Draw it as it is now."""
        from rich.live import Live

        lines = self._view.lines(datetime.now(UTC))
        if not lines:
            self.close()
            return
        if self._live is None:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                vertical_overflow="crop",
            )
            self._live.start()
        batches = self._view.busiest(min(ROWS, max(0, self._console.height - LINES_FREE)))
        drawn = _drawn(batches, lines)
        if self._console.width < self._width:
            self._erase_wrapped()
        self._width = self._console.width
        rendered = self._console.render_lines(drawn, pad=False)[: self._console.height]
        self._lengths = [sum(segment.cell_length for segment in line) for line in rendered]
        self._live.update(drawn, refresh=True)

    def _erase_wrapped(self) -> None:
        """Erase what a terminal that has become narrower has wrapped, of which rich knows the wider lines alone.

        The cursor ends where rich believes it to be: as many lines below the first as it has drawn.
        """
        from rich.control import Control
        from rich.segment import ControlType

        rows = sum(max(1, -(-length // self._console.width)) for length in self._lengths)
        up = [(ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)] * (rows - 1)
        down = [(ControlType.CURSOR_DOWN, 1)] * (len(self._lengths) - 1)
        self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up, *down))

    redraw = show

    def close(self) -> None:
        """Have it gone."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def _drawn(batches: list[BatchReport], lines: list[str]) -> Group:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for report in batches:
        table.add_row(
            Text(escaped(report.batch_id), no_wrap=True, overflow="ellipsis"),
            ProgressBar(total=max(report.expected, 1), completed=report.distinct, width=BAR),
            Text(f"{report.distinct:,}/{report.expected:,}", justify="right", no_wrap=True),
            Text(size(report.bytes), justify="right", no_wrap=True),
        )
    rows = [table] if table.row_count else []
    return Group(*rows, *(Text(line, style="bold") for line in lines))
