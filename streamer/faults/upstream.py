"""The server behind the proxy: one connection for each request, passed on as it came but for the fields of the hop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from streamer.faults.body import Body, ServerAnswer
from streamer.faults.http1 import HEAD_BYTES, HOP, RequestHead, chunk
from streamer.faults.replies import failed
from streamer.faults.wire import Received, put, read_head


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where it is.

    Attributes:
        origin: scheme, host and port as in URLs, e.g. `http://127.0.0.1:8123`.
    """

    origin: str
    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read the base URL of a server; a path in it is not for us: clients ask for paths.

        Raises:
            ValueError: not a URL of http or https.
        """
        found = urlsplit(url)
        if found.scheme not in ("http", "https") or not found.hostname or found.path not in ("", "/"):
            raise ValueError(f"the upstream {url!r} is not of the form http://HOST:PORT")
        port = found.port or (443 if found.scheme == "https" else 80)
        return cls(f"{found.scheme}://{found.netloc}", found.scheme, found.hostname, port)

    @asynccontextmanager
    async def asked(self, request: RequestHead, body: Body, *, chunked: bool) -> AsyncIterator[ServerAnswer]:
        """What it answers to a request; 502 where it cannot be reached or says nothing. The body is read as it comes.

        It is asked for no compression, so that the content can be damaged. What it compresses all the same passes as
        it is.

        Raises:
            ConnectionError: the client left within the body of its request.
        """
        try:
            reader, writer = await asyncio.open_connection(
                self.host, self.port, limit=HEAD_BYTES, ssl=True if self.scheme == "https" else None
            )
        except OSError as error:
            yield failed(502, f"The upstream {self.origin} cannot be reached: {error.strerror or error}")
            return
        try:
            # An answer may come before all of the request is sent: a refusal.
            with suppress(BrokenPipeError):
                await self._pass_on(writer, request, body, chunked=chunked)
            yield await self._answer(reader)
        finally:
            writer.transport.abort()

    async def _pass_on(self, writer: asyncio.StreamWriter, request: RequestHead, body: Body, *, chunked: bool) -> None:
        length = (("transfer-encoding", "chunked"),) if chunked else (("content-length", str(body.size)),)
        fields = (
            ("host", self.origin.partition("//")[2]),
            *request.without(HOP | {"host", "accept-encoding"}),
            ("accept-encoding", "identity"),
            ("connection", "close"),
            *(length if chunked or body.size else ()),
        )
        await _put(writer, RequestHead((request.line[0], request.line[1], "HTTP/1.1"), fields).encode())
        while data := await body.read():
            await _put(writer, chunk(data) if chunked else data)
        if chunked:
            await _put(writer, chunk(b""))

    async def _answer(self, reader: asyncio.StreamReader) -> ServerAnswer:
        try:
            head = await read_head(reader)
            body = Received(reader, head, until_close=True) if head is not None else None
        except (ValueError, ConnectionError) as error:
            return failed(502, f"The upstream {self.origin} gave no answer: {error}")
        if head is None or body is None or not head.line[1].isdecimal():
            return failed(502, f"The upstream {self.origin} closed the connection without an answer")
        return ServerAnswer(
            status=int(head.line[1]),
            reason=head.line[2],
            fields=head.without(HOP),
            body=body,
            chunked=body.chunked,
        )


async def _put(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send to the upstream; that it hung up is told apart from a client that did."""
    try:
        await put(writer, data)
    except ConnectionError:
        raise BrokenPipeError("the upstream hung up within a request") from None
