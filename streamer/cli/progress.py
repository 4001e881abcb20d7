"""Progress on a terminal: the busiest batches, and what else is done, four times a second with rich.

Without rich a plain line every five seconds; where stderr is no terminal, nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from streamer.cli.output import escaped, say, size
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
    try:
        show: _Drawing | _Plain = _Drawing(view)
        redraw: Callable[[], None] = show
        seconds = DRAWING_SECONDS
    except ImportError:
        show, redraw, seconds = _Plain(view), _nothing, PLAIN_SECONDS
    with closing(show):
        task = asyncio.create_task(_tick(seconds, show), name="streamer progress")
        try:
            yield redraw
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _nothing() -> None:
    """Nobody looks on."""


async def _tick(seconds: float, show: Callable[[], None]) -> None:
    while True:
        show()
        await asyncio.sleep(seconds)


class _Plain:
    """A line each time, unless it would say what the last one said.

    Args:
        view: what is shown.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._said = ""

    def __call__(self) -> None:
        """Say how things stand."""
        text = "; ".join(self._view.lines(datetime.now(UTC)))
        if text and text != self._said:
            say(text)
        self._said = text

    def close(self) -> None:
        """Nothing is left to be removed."""


class _Drawing:
    """The part of the terminal that is drawn anew; gone while there is nothing to show, and in the end.

    Drawn from the event loop and not from rich's thread, since the counters change under a thread's hands. What is
    written to stderr meanwhile appears above it; stdout is the data's and stays as it is.

    Args:
        view: what is shown.

    Raises:
        ImportError: there is no rich.
    """

    def __init__(self, view: View) -> None:
        from rich.console import Console

        self._view = view
        self._console = Console(file=sys.stderr, highlight=False)
        self._live: Live | None = None

    def __call__(self) -> None:
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
        self._live.update(_drawn(batches, lines), refresh=True)

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
