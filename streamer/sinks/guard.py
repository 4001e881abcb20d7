"""Around every call into a sink, which may be anybody's code: whatever it raises becomes one clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from streamer.api.types import Batch
from streamer.errors import SinkError, StreamerError
from streamer.results.accounting import Tally
from streamer.sinks.base import Sink, Writer
from streamer.tasks import asked_to_end

T = TypeVar("T")


async def guarded(doing: str, sink: Sink | Writer, call: Callable[[], Awaitable[T]]) -> T:
    """Call what a sink or a writer does, and await it.

    Args:
        doing: what that is, for the error, e.g. `opening`.
        sink: whose work it is.
        call: makes the call.

    Raises:
        SinkError: it raised something that is no error of ours; this says what, and which sink it was. A cancellation
            that nobody asked of us is such an error, and so is `sys.exit()`: neither ends the program as if all were
            well.
        StreamerError: it raised that.
        asyncio.CancelledError: we were cancelled.
    """
    try:
        return await call()
    except StreamerError:
        raise
    except asyncio.CancelledError as error:
        if asked_to_end():
            raise
        raise SinkError(
            f"{type(sink).__name__} failed while {doing}: something that it waited for was cancelled, though this run "
            "was not"
        ) from error
    except (Exception, SystemExit) as error:
        raise SinkError(f"{type(sink).__name__} failed while {doing}: {type(error).__name__}: {error}") from error


async def open_guarded(sink: Sink, batch: Batch) -> Writer:
    """Open a writer for a batch.

    Raises:
        SinkError, StreamerError: as `guarded` does; or what was given is no writer.
    """
    writer = await guarded("opening", sink, lambda: sink.open(batch))
    name = type(sink).__name__
    if not isinstance(writer, Writer):
        raise SinkError(f"{name}.open gave {writer!r:.100}, which is no streamer.Writer")
    if not isinstance(getattr(writer, "held", None), Tally):
        await close_guarded(writer)
        raise SinkError(
            f"{name}.open gave a {type(writer).__name__} that does not say what it holds; its __init__ must call "
            "super().__init__(streamer.Tally()), or give a tally of what it holds"
        )
    return writer


async def close_guarded(sink: Sink | Writer) -> None:
    """Close a sink or a writer.

    Raises:
        SinkError, StreamerError: as `guarded` does.
    """
    await guarded("closing", sink, sink.close)
