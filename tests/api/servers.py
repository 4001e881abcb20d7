"""A small real HTTP server on loopback that answers as a script says, byte for byte if need be."""

from __future__ import annotations

import asyncio
import json
import ssl
import string
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Self

KEY = "sk-canary-0123456789"  # what no message, repr, pickle or foreign server may ever hold
# As long as a real one. Made here, as what looks like a key in a file worries those who scan for them.
LONG_KEY = "sk-ant-api03-" + "".join(Random(7).choices(string.ascii_letters + string.digits + "-_", k=96))


@dataclass(frozen=True)
class Seen:
    """A request as the server saw it."""

    method: str
    target: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    port: int = 0  # of the client's end: tells connections apart


Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]] | None
"""Bytes to send, or what to do with the connection (which is then closed); None closes without an answer."""


def reply(
    status: int = 200,
    body: bytes | Mapping[str, Any] = b"",
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> bytes:
    """A whole answer with its Content-Length; a mapping is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"content-type": content_type, "content-length": str(len(content)), **(headers or {})}
    head = f"HTTP/1.1 {status} Whatever\r\n" + "".join(f"{name}: {text}\r\n" for name, text in fields.items() if text)
    return head.encode() + b"\r\n" + content


def error(status: int, kind: str = "api_error", message: str = "it broke", **details: str) -> dict[str, Any]:
    """The API's error body, for `reply`."""
    return {"type": "error", "error": {"type": kind, "message": message, "details": details or None}}


def refusal(status: int, headers: Mapping[str, str] | None = None, kind: str = "api_error", **details: str) -> bytes:
    """A whole answer with an error status and the API's error body."""
    return reply(status, error(status, kind, **details), {"request-id": "req_1", **(headers or {})})


def batch(batch_id: str = "msgbatch_1", **fields: Any) -> dict[str, Any]:
    """A batch as the API sends it, in progress unless told otherwise."""
    return {
        "id": batch_id,
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
        "ended_at": None,
        "created_at": "2025-01-12T05:59:14.154311+00:00",
        "expires_at": "2025-01-13T05:59:14.154311+00:00",
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
        **fields,
    }


@dataclass
class Server:
    """Answers with the script's replies in order; the last one again and again."""

    script: Sequence[Reply]
    seen: list[Seen] = field(default_factory=list)
    open_connections: int = 0
    tls: ssl.SSLContext | None = None
    reads_bodies: bool = True  # else a request is answered when its headers are here

    async def __aenter__(self) -> Self:
        self._replies = list(self.script)
        self._alone = asyncio.Event()
        self._arrival = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def has_seen(self, number: int) -> None:
        """Wait until `number` requests have arrived."""
        async with self._arrival, asyncio.timeout(30):
            await self._arrival.wait_for(lambda: len(self.seen) >= number)

    async def __aexit__(self, *exc_info: object) -> None:
        self._stopping.set()
        self._server.close()
        if self.open_connections:
            await self._alone.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_connections += 1
        work = asyncio.ensure_future(self._converse(reader, writer))
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            stop.cancel()
            await asyncio.gather(work, stop, return_exceptions=True)
            writer.transport.abort()
            self.open_connections -= 1
            if not self.open_connections and self._stopping.is_set():
                self._alone.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen = await self._read(reader, writer.get_extra_info("peername")[1])
            self.seen.append(seen)
            async with self._arrival:
                self._arrival.notify_all()
            answer = self._answer_to(seen)
            if answer is None:
                return
            if callable(answer):
                await answer(writer)
                return
            writer.write(answer)
            await writer.drain()

    def _answer_to(self, seen: Seen) -> Reply:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    async def _read(self, reader: asyncio.StreamReader, port: int) -> Seen:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0"))) if self.reads_bodies else b""
        return Seen(method, target, headers, body, port)


class Routes(Server):
    """Answers each request by what it asks for."""

    def __init__(self, route: Callable[[Seen], Reply]) -> None:
        super().__init__([])
        self._route = route

    def _answer_to(self, seen: Seen) -> Reply:
        return self._route(seen)


def sends(data: bytes, *, then_reset: bool = False) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """A reply that sends `data` and closes the connection, politely or with a reset."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if then_reset:
            writer.transport.abort()
        else:
            writer.close()
            await writer.wait_closed()

    return act


def stalls(data: bytes = b"") -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """A reply that sends `data` and then nothing more, for ever."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await asyncio.Event().wait()

    return act


def pours(head: bytes, data: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """A reply that sends `head` and then `data` again and again until the client goes away."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.transport.is_closing():
            writer.write(data)
            await writer.drain()

    return act


def targets(server: Server) -> Iterable[str]:
    """What was asked for, in order."""
    return [f"{seen.method} {seen.target}" for seen in server.seen]
