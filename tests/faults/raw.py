"""A client that takes what comes: bytes off a socket, and how they ended."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from streamer.faults.proxy import serving
from streamer.faults.script import Script
from tests.leftovers import nothing_left

BATCHES = "/v1/messages/batches"
KEY = "test-canary-8c1e"  # what nothing that is counted, printed or answered may hold


@dataclass(frozen=True)
class Truth:
    """A batch, and its results undamaged."""

    upstream: str
    batch_id: str
    results: bytes

    @property
    def poll(self) -> str:
        return f"{BATCHES}/{self.batch_id}"

    @property
    def path(self) -> str:
        return f"{self.poll}/results"

    @property
    def records(self) -> list[bytes]:
        return self.results.split(b"\n")


@dataclass(frozen=True)
class Got:
    """All bytes of an answer up to the end of the connection."""

    data: bytes
    reset: bool = False  # it ended with RST, not with FIN

    @property
    def head(self) -> str:
        return self.data.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def status(self) -> int:
        return int(self.head.split(" ")[1])

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in self.head.split("\r\n")[1:])}

    @property
    def body(self) -> bytes:
        """What follows the head, framing and all."""
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def chunks(self) -> list[bytes]:
        """The chunks of a chunked body; the last may be cut, and the one of no bytes is left out."""
        found, body = [], self.body
        while size := re.match(rb"([0-9a-f]+)\r\n", body):
            start, length = size.end(), int(size[1], 16)
            found.append(body[start : start + length])
            body = body[start + length + 2 :]
        return [chunk for chunk in found if chunk]

    @property
    def content(self) -> bytes:
        """The body without its framing."""
        return b"".join(self.chunks) if self.headers.get("transfer-encoding") == "chunked" else self.body

    @property
    def finished(self) -> bool:
        """It is chunked and has its last chunk."""
        return self.body.endswith(b"0\r\n\r\n")

    def json(self) -> Any:
        return json.loads(self.content)


def request(
    target: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", body: bytes = b"", last: bool = True
) -> bytes:
    """A request with a key; the last of its connection unless told otherwise."""
    fields = {"host": "here", "x-api-key": KEY, "anthropic-version": "2023-06-01", **(headers or {})}
    if body:
        fields |= {"content-length": str(len(body)), "content-type": "application/json"}
    if last:
        fields |= {"connection": "close"}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def connected(base_url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    url = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(base_url: str, target: str, headers: Mapping[str, str] | None = None, **how: Any) -> Got:
    """Ask once, and read to the end of the connection."""
    async with connected(base_url) as (reader, writer):
        writer.write(request(target, headers, **how))
        data = bytearray()
        try:
            while piece := await reader.read(1 << 16):
                data += piece
        except ConnectionResetError:
            return Got(bytes(data), reset=True)
        return Got(bytes(data))


def ask_now(base_url: str, target: str) -> Got:
    """The same without a loop."""
    url = urlsplit(base_url)
    with socket.create_connection((url.hostname or "", url.port or 0)) as connection:
        connection.sendall(request(target))
        data = b""
        while piece := connection.recv(1 << 16):
            data += piece
    return Got(data)


@asynccontextmanager
async def damaging(upstream: str, *faults: str, seed: int = 0) -> AsyncIterator[str]:
    """The proxy with these faults on the loop of the test; leaves nothing behind."""
    # uvloop opens a spare descriptor with its first server, and keeps it.
    first = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    first.close()
    await first.wait_closed()
    async with nothing_left(), serving(upstream, Script(faults, seed)) as base_url:
        yield base_url


async def results(truth: Truth, *faults: str, seed: int = 0, headers: Mapping[str, str] | None = None) -> Got:
    """What a download of the batch's results gives behind these faults."""
    async with damaging(truth.upstream, *faults, seed=seed) as base_url:
        return await ask(base_url, truth.path, headers)


async def stats(base_url: str) -> Any:
    return (await ask(base_url, "/_faults/stats")).json()


async def until(base_url: str, true: Callable[[Any], bool]) -> None:
    """Ask for the stats until that is true of them."""
    async with asyncio.timeout(30):
        while not true(await stats(base_url)):
            pass
