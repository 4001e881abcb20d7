"""Records into a function: `CallbackSink(function)`, or `--to callback:module:function`."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, overload

from streamer.api.types import Batch
from streamer.errors import ConfigurationError, SinkError
from streamer.results.accounting import Tally
from streamer.results.block import Block
from streamer.results.record import Record
from streamer.sinks.base import Sink, Writer
from streamer.sinks.per import Per, check_per, units
from streamer.tasks import asked_to_end, end_if_asked, together
from streamer.threads import Threads

YIELD_EVERY = 64  # records: an async function that never waits must not hold up the loop for a whole block


class CallbackSink(Sink):
    """Calls a function with every record, or with every block.

    A function defined with `async def` runs on the event loop. Any other runs in a thread of the sink's own, so it may
    block, and one hop serves a whole block; what it touches must not mind being called from another thread.
    The records of a block are acknowledged together, when the function has returned for all of them.

    At least once: a batch whose run broke off is handed over from its beginning, so act on `(batch_id, custom_id)` in a
    way that may happen twice. With `concurrency` 1 a batch's records come in order.

    Args:
        function: what to call; what it returns is ignored.
        per: hand over one `Record` or one `Block` at a time.
        concurrency: how many calls may be under way at once, over all batches.

    Raises:
        ConfigurationError: `per` or `concurrency` is not one of those that exist.

    Example:
        >>> sink = CallbackSink(lambda record: print(record.custom_id, record.type))

    """

    open_files = 0

    @overload
    def __init__(
        self, function: Callable[[Record], object], *, per: Literal["record"] = "record", concurrency: int = 1
    ) -> None: ...
    @overload
    def __init__(self, function: Callable[[Block], object], *, per: Literal["block"], concurrency: int = 1) -> None: ...
    def __init__(self, function: Callable[[Any], object], *, per: Per = "record", concurrency: int = 1) -> None:
        check_per(per)
        if concurrency < 1:
            raise ConfigurationError(f"concurrency must be 1 or more, not {concurrency}")
        self._function = function
        self._per = per
        self._concurrency = concurrency
        self._threads = Threads("streamer-callback", concurrency)
        self._slots = asyncio.Semaphore(concurrency)

    def __repr__(self) -> str:
        return f"CallbackSink({name_of(self._function)}, per={self._per!r}, concurrency={self._concurrency})"

    async def open(self, batch: Batch) -> CallbackWriter:
        """Begin to hand over a batch; nothing is held of it."""
        return CallbackWriter(self, batch.id)

    async def close(self) -> None:
        """End the sink's threads."""
        self._threads.close()
        self._slots = asyncio.Semaphore(self._concurrency)  # the old one belongs to this event loop

    async def hand_over(self, block: Block) -> None:
        """Call the function with everything of `block`; returns when all calls have.

        Raises:
            SinkError: a call raised; the others were cancelled, or not begun.
            StreamerError: a call was cancelled by somebody else, or by itself, so nobody knows what it has done.
        """
        stopped = threading.Event()
        waiting = units(block, self._per)
        workers = 1 if self._per == "block" else min(self._concurrency, len(block))
        if is_async(self._function):
            work = [self._call_on_loop(waiting) for _ in range(workers)]
        else:
            shares = list(waiting)
            work = [self._call_in_thread(shares[start::workers], stopped) for start in range(workers)]
        await together(f"streamer callback {name_of(self._function)}", work)

    async def _call_on_loop(self, waiting: Iterator[Any]) -> None:
        for count, unit in enumerate(waiting):
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            async with self._slots:
                try:
                    await self._function(unit)  # type: ignore[misc]  # it is async
                except asyncio.CancelledError as error:
                    if asked_to_end():
                        raise
                    raise self._failed(unit, error) from error
                except (Exception, SystemExit) as error:
                    raise self._failed(unit, error) from error
            end_if_asked()  # the function may have kept it to itself

    async def _call_in_thread(self, share: list[Any], stopped: threading.Event) -> None:
        await self._threads.run(partial(self._call_each, share, stopped), stop=stopped.set)

    def _call_each(self, share: list[Any], stopped: threading.Event) -> None:
        for unit in share:
            if stopped.is_set():
                return
            try:
                result = self._function(unit)
            except BaseException as error:  # no signal arrives in a thread, so even a KeyboardInterrupt is its own
                raise self._failed(unit, error) from error
            if result is not None and inspect.isawaitable(result):
                if inspect.iscoroutine(result):
                    result.close()
                raise SinkError(
                    f"{name_of(self._function)} returned something to be awaited but is not an `async def` function; "
                    f"give the sink one that is"
                )

    def _failed(self, unit: Record | Block, error: BaseException) -> SinkError:
        what = f"record {unit.custom_id}" if isinstance(unit, Record) else f"a block of {len(unit):,} records"
        return SinkError(
            f"{name_of(self._function)} failed on {what} of {unit.batch_id}: {type(error).__name__}: {error}"
        )


class CallbackWriter(Writer):
    """A function, as one batch sees it."""

    def __init__(self, sink: CallbackSink, batch_id: str) -> None:
        super().__init__(Tally())
        self._sink = sink
        self._batch_id = batch_id
        self.destination = repr(sink)

    async def write(self, block: Block) -> None:
        """Hand over the records of `block`; returns when the function has taken all of them."""
        await self._sink.hand_over(block)

    async def commit(self) -> None:
        """Nothing to do: what the function does is out of our hands."""

    async def close(self) -> None:
        """Nothing to let go of: every call has returned when `write` has."""


def is_async(function: object) -> bool:
    """Whether calling it gives a coroutine: `async def`, a partial of one, or an object with `async def __call__`."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def name_of(function: object) -> str:
    """What people call it: `module.function`."""
    while isinstance(function, partial):
        function = function.func
    kind = function if hasattr(function, "__qualname__") else type(function)
    return f"{kind.__module__}.{kind.__qualname__}"


def callback_target(rest: str) -> CallbackSink:
    """The sink for `callback:MODULE:FUNCTION`; FUNCTION may have dots in it.

    Raises:
        ConfigurationError: there is no such module or function.
    """
    module_name, colon, path = rest.partition(":")
    if not (module_name and colon and path):
        raise ConfigurationError(f"callback:{rest} does not name a function; write callback:module:function")
    try:
        function: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(
            f"callback:{rest}: the module cannot be imported ({error}); install it, or put its directory on PYTHONPATH "
            "(`export PYTHONPATH=.` for this one)"
        ) from error
    for name in path.split("."):
        try:
            function = getattr(function, name)
        except AttributeError as error:
            raise ConfigurationError(f"callback:{rest}: {error}") from error
    if not callable(function):
        raise ConfigurationError(f"callback:{rest} is not a function but {type(function).__name__}")
    return CallbackSink(function)
