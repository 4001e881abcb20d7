"""Tasks whose end is never taken for success unless it was one, and waits that a cancellation does not cut short.

`asyncio.TaskGroup` says nothing when one of its tasks was cancelled: what that task had to do looks done. And a
`CancelledError` may come out of anything that is awaited (another client's future, somebody's pool) though nobody has
cancelled us. So whoever needs to know asks here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from streamer.errors import StreamerError

T = TypeVar("T")

log = logging.getLogger("streamer.tasks")


def asked_to_end() -> bool:
    """Whether somebody has cancelled the current task.

    A `CancelledError` that comes while nobody has is an error of whatever was awaited.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def end_if_asked() -> None:
    """Go no further once the current task was cancelled, also when somebody's code kept the cancellation to itself.

    Raises:
        asyncio.CancelledError: it was.
    """
    if asked_to_end():
        raise asyncio.CancelledError


async def wait_out(pending: Callable[[], Collection[asyncio.Future[Any]]], *, cancel: bool = False) -> None:
    """Wait until nothing is pending any more, however often the waiting is cancelled, and let that through then.

    Args:
        pending: what there is to wait for now; it is asked again whenever that is done, and may begin more.
        cancel: cancel what is pending each time that the waiting is cancelled: its end may be somebody's code that
            hangs, and whoever cancels again means it.

    Raises:
        asyncio.CancelledError: the waiting was cancelled; it has come to its end all the same.

    Example:
        >>> async def end(task: asyncio.Task[None]) -> None:
        ...     task.cancel()
        ...     await wait_out(lambda: [] if task.done() else [task])
    """
    cancelled: asyncio.CancelledError | None = None
    while futures := pending():
        try:
            await asyncio.wait(futures)
        except asyncio.CancelledError as error:
            cancelled = error
            for future in futures if cancel else ():
                future.cancel()
    if cancelled is not None:
        raise cancelled


async def together(name: str, work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines at once, each in a task of its own, and wait until all have come to their end.

    The first one that fails ends the others, as in an `asyncio.TaskGroup`, and so does one that was cancelled by
    anybody but us: its work is not done.

    Args:
        name: what the tasks are called, with a number behind it.
        work: the coroutines.

    Returns:
        What they returned, in their order.

    Raises:
        StreamerError: a task was cancelled though nobody has cancelled this one.
        BaseException: what the first one that failed raised; what others raised when they were ended is in its notes.

    Example:
        >>> async def lengths(client: Client, ids: list[str]) -> list[Batch]:
        ...     return await together("look", [client.retrieve(batch_id) for batch_id in ids])
    """
    tasks = [asyncio.create_task(coroutine, name=f"{name} {n}") for n, coroutine in enumerate(work)]
    first: BaseException | None = None
    cancelled: asyncio.CancelledError | None = None
    try:
        first = await _first_failure(tasks)
    except asyncio.CancelledError as error:
        cancelled = error
    for task in tasks:
        task.cancel()
    try:
        await wait_out(lambda: [task for task in tasks if not task.done()], cancel=True)
    except asyncio.CancelledError as error:
        cancelled = error
    ended = [task for task in tasks if not task.cancelled()]
    failures = [failure for task in ended if (failure := task.exception()) not in (None, first)]
    if cancelled is not None:
        for failure in filter(None, [first, *failures]):
            log.warning("%s, while it was cancelled: %r", name, failure, extra={"action": "failed_at_end"})
        raise cancelled
    if first is not None:
        for failure in failures:
            first.add_note(f"besides, in {name}: {failure!r}")
        raise first
    return [task.result() for task in tasks]


async def _first_failure(tasks: Sequence[asyncio.Task[T]]) -> BaseException | None:
    """Wait until a task has failed, or all have come to their end."""
    if not tasks:
        return None
    left = len(tasks)
    over: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def ended(task: asyncio.Task[T]) -> None:
        nonlocal left
        left -= 1
        if not over.done() and ((failure := _failure(task)) is not None or not left):
            over.set_result(failure)

    for task in tasks:
        task.add_done_callback(ended)
    return await over


def _failure(task: asyncio.Task[T]) -> BaseException | None:
    if not task.cancelled():
        return task.exception()
    return StreamerError(
        f"the task {task.get_name()!r} was cancelled, though nobody has cancelled what it belongs to, so its work is "
        "not done; look for what cancels tasks that are not its own (asyncio.all_tasks, current_task().cancel()), and "
        "run the same again"
    )
