"""Around every call into a sink, which may be anybody's code: whatever it raises becomes one clear error."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from streamer.errors import SinkError, StreamerError
from streamer.sinks.base import Sink, Writer

T = TypeVar("T")


async def guarded(doing: str, sink: Sink | Writer, work: Awaitable[T]) -> T:
    """Await what a sink or a writer does.

    Args:
        doing: what that is, for the error, e.g. `opening`.
        sink: whose work it is.
        work: its call.

    Raises:
        SinkError: it raised something that is no error of ours; this says what, and which sink it was.
        StreamerError: it raised that.
    """
    try:
        return await work
    except StreamerError:
        raise
    except Exception as error:
        raise SinkError(f"{type(sink).__name__} failed while {doing}: {type(error).__name__}: {error}") from error


async def close_guarded(sink: Sink | Writer) -> None:
    """Close a sink or a writer.

    Raises:
        SinkError, StreamerError: as `guarded` does.
    """
    await guarded("closing", sink, sink.close())
