"""The batches of a run as people hold them: ids, or objects that have one, all there or coming one by one."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol, TypeAlias

from streamer.arguments import described
from streamer.errors import ConfigurationError

ADVICE = "give a list (or any iterable, also an asynchronous one) of ids or of batches"


class HasId(Protocol):
    """A batch of any client: ours, or the official one's."""

    @property
    def id(self) -> str:
        """The batch's id."""
        ...


BatchRef: TypeAlias = str | HasId


def ids_of(
    given: Iterable[BatchRef] | AsyncIterable[BatchRef], note: Callable[[str], object]
) -> list[str] | AsyncIterable[str]:
    """The ids of batches.

    Args:
        given: the batches.
        note: is told of each id, of an asynchronous iterable as it comes.

    Raises:
        ConfigurationError: it is no collection of batches.
    """
    if isinstance(given, str):
        raise ConfigurationError(f"batch_ids is a collection of strings, not one string; write [{given!r}]")
    if isinstance(getattr(given, "id", None), str):
        raise ConfigurationError(f"batch_ids is one batch, {given.id!r}; write [batch]")  # type: ignore[union-attr]
    if isinstance(given, AsyncIterable):
        return _as_they_come(given, note)
    if not isinstance(given, Iterable) or isinstance(given, bytes | bytearray | type):
        if inspect.iscoroutine(given):
            given.close()
        waits = "; await it first" if isinstance(given, Awaitable) else ""
        raise ConfigurationError(f"batch_ids is {described(given)}{waits}; {ADVICE}")
    ids = [id_of(one) for one in given]
    for batch_id in ids:
        note(batch_id)
    return ids


def id_of(one: BatchRef) -> str:
    """The id of one batch.

    >>> id_of("msgbatch_1")
    'msgbatch_1'

    Raises:
        ConfigurationError: it has none.
    """
    if isinstance(one, str):
        return one
    batch_id: Any = getattr(one, "id", None)
    if isinstance(batch_id, str) and not isinstance(one, type):
        return batch_id
    key = "; write batch['id']" if isinstance(one, Mapping) and "id" in one else ""
    raise ConfigurationError(f"batch_ids holds {described(one)}, which is no id and has none{key}; {ADVICE}")


async def _as_they_come(given: AsyncIterable[BatchRef], note: Callable[[str], object]) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        source = aiter(given)
        if (close := getattr(source, "aclose", None)) is not None:
            stack.push_async_callback(close)
        async for one in source:
            batch_id = id_of(one)
            note(batch_id)
            yield batch_id
