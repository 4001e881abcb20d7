"""The bodies that are sent: of a create one encoded copy of all requests, in parts; of a message its params."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from streamer.api.jsonencoding import Dumpable, Request, encode
from streamer.errors import ConfigurationError

PART_BYTES = 1 << 20  # large enough to cost nothing per part, small enough not to hold up the loop


@runtime_checkable
class RequestBody(Protocol):
    """A create's body, wherever its bytes are."""

    @property
    def size(self) -> int:
        """Bytes of the whole body, sent as Content-Length."""
        ...

    def parts(self) -> AsyncIterator[bytes]:
        """The bytes from the beginning, in order, none empty; called again when the request is repeated."""
        ...


class MemoryBody:
    """A body held in memory."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = parts
        self.size = sum(map(len, parts))

    def __repr__(self) -> str:
        return f"<MemoryBody of {self.size:,} bytes>"

    async def parts(self) -> AsyncIterator[bytes]:
        """The bytes from the beginning."""
        for part in self._parts:
            yield part


def encode_params(params: Request) -> MemoryBody:
    """The body of a request for one message.

    Raises:
        ConfigurationError: they are none, or cannot be written as JSON.
    """
    if not isinstance(params, Mapping | Dumpable | bytes):
        kind = type(params).__name__
        raise ConfigurationError(f"params is a {kind}; the params of a request are a mapping, or their JSON as bytes")
    return MemoryBody([encode(params, "the params")])


async def encode_requests(requests: Iterable[Request]) -> MemoryBody:
    """The body `{"requests":[...]}` for requests given as mappings, as models, or as JSON already encoded.

    The loop gets its turn after each MiB. What the API checks (ids, number, size) is left to the API.

    Raises:
        ConfigurationError: there is no request, or one cannot be written as JSON; it names its position from 0.
    """
    parts: list[bytes] = []
    part = bytearray(b'{"requests":[')
    count = 0
    for count, request in enumerate(requests, start=1):
        if count > 1:
            part += b","
        if isinstance(request, bytes | Mapping | Dumpable) and not isinstance(request, type):
            part += encode(request, f"requests.{count - 1}")
        else:
            raise ConfigurationError(
                f"requests.{count - 1} is a {type(request).__name__}; a request is a mapping or a pydantic model "
                "with custom_id and params, or its JSON as bytes"
            )
        if len(part) >= PART_BYTES:
            parts.append(bytes(part))
            part.clear()
            await asyncio.sleep(0)
    if not count:
        raise ConfigurationError("there is no request to send; a batch has at least one")
    parts.append(bytes(part + b"]}"))
    return MemoryBody(parts)
