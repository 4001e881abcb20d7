"""The event loop of a command, and what Ctrl-C does to it.

The first Ctrl-C (or SIGTERM) cancels the command: downloads stop, writers keep what has come and close their files.
The second one finds the system's own handler in place and ends the process at once; that is safe too, because the
files are made to survive `kill -9`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from streamer.cli.exits import Interrupted
from streamer.cli.stdio import say

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_async(work: Coroutine[Any, Any, int]) -> int:
    """Run a command's coroutine to its exit code, on uvloop where there is one.

    Raises:
        Interrupted: it was cancelled by a signal and has closed everything.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_interruptible(work))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.new_event_loop


async def _interruptible(work: Coroutine[Any, Any, int]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    # A signal that is ignored stays so: a shell starts background jobs with SIGINT ignored.
    signals = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    interrupted = False
    somebody_looks_on = sys.stderr.isatty()  # asked now: what rich before 15 puts in its place says no

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        if somebody_looks_on:
            say("stopping; again to stop at once")
        if task is not None:
            task.cancel()

    for number in signals:
        loop.add_signal_handler(number, interrupt)
    try:
        return await work
    except asyncio.CancelledError:
        if interrupted:
            raise Interrupted from None
        raise
    finally:
        if not interrupted:
            for number in signals:
                loop.remove_signal_handler(number)
