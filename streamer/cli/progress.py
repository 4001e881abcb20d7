"""Progress on a terminal: the busiest batches and a line of totals, four times a second with rich.

Without rich a plain line every five seconds; where stderr is no terminal, nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streamer.cli.board import Board
from streamer.cli.output import escaped, say, size

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

DRAWING_SECONDS = 0.25  # drawing takes some 0.5 ms a row, so a fiftieth of a core
PLAIN_SECONDS = 5.0
ROWS = 15  # batches shown: more would cost time and say nothing
TOTALS_LINES = 3  # kept free for the totals, which are never cut off: on a narrow terminal they wrap
BAR = 16  # columns: with it a row of 100,000 records fits into 80


@asynccontextmanager
async def shown(board: Board, *, on: bool) -> AsyncIterator[None]:
    """Show the board while the block runs, if it is `on` and stderr is a terminal."""
    if not (on and sys.stderr.isatty()):
        yield
        return
    with ExitStack() as stack:
        try:
            live = stack.enter_context(_live(board))
        except ImportError:
            ticking = _tick(PLAIN_SECONDS, lambda: say(board.totals(datetime.now(UTC))))
        else:
            ticking = _tick(DRAWING_SECONDS, lambda: live.update(_drawing(board, live.console.height), refresh=True))
        task = asyncio.create_task(ticking, name="streamer progress")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _tick(seconds: float, show: Callable[[], None]) -> None:
    while True:
        show()
        await asyncio.sleep(seconds)


def _live(board: Board) -> AbstractContextManager[Live]:
    """The part of the terminal that is drawn anew; gone when it ends, as the summary says more.

    Drawn from the event loop and not from rich's thread, since the counters change under a thread's hands. What is
    written to stderr meanwhile appears above it; stdout is the data's and stays as it is.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console(file=sys.stderr, highlight=False)
    return Live(
        _drawing(board, console.height),
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        vertical_overflow="crop",
    )


def _drawing(board: Board, height: int) -> Group:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for report in board.busiest(min(ROWS, max(0, height - TOTALS_LINES))):
        table.add_row(
            Text(escaped(report.batch_id), no_wrap=True, overflow="ellipsis"),
            ProgressBar(total=max(report.expected, 1), completed=report.distinct, width=BAR),
            Text(f"{report.distinct:,}/{report.expected:,}", justify="right", no_wrap=True),
            Text(size(report.bytes), justify="right", no_wrap=True),
        )
    rows = [table] if table.row_count else []
    return Group(*rows, Text(board.totals(datetime.now(UTC)), style="bold"))
