"""The proxy: a server on loopback whose answers are the upstream's, damaged as the script says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

from streamer.faults.body import ServerAnswer, of, whole
from streamer.faults.damage import Faults, damaged, homed, shows_end, without_results_url
from streamer.faults.http1 import HEAD_BYTES, RequestHead, operation_of
from streamer.faults.kinds import Stage
from streamer.faults.replies import failed, made
from streamer.faults.script import Script
from streamer.faults.send import send
from streamer.faults.stats import FaultStats
from streamer.faults.upstream import Upstream
from streamer.faults.wire import Received, Wire, read_head

STATS_PATH = "/_faults/stats"
# Batch objects and pages of them are held whole, to lead results_url here: 1,000 batches are about 600 KB.
_OBJECT_BYTES = 64 << 20


class FaultProxy:
    """Answers the requests of all connections.

    Attributes:
        base_url: its own address, e.g. `http://127.0.0.1:40123`.
    """

    def __init__(self, upstream: Upstream, script: Script, base_url: str) -> None:
        self.base_url = base_url
        self._upstream = upstream
        self._script = script
        self._stats = FaultStats()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it is to end; whoever called drops it then."""
        wire = Wire(reader, writer)
        try:
            # Whoever is gone, client or upstream, the end of this connection says so: by RST, if not by more.
            with suppress(ConnectionError):
                request = await read_head(reader)
                if request is not None and request.line[1] == STATS_PATH:
                    await self._send(wire, self._counted(), request)
                    return
                with self._stats.connection():
                    while request is not None and await self._exchange(request, wire):
                        request = await read_head(reader)
        except ValueError as error:
            with suppress(ConnectionError):
                await self._send(
                    wire, failed(400, f"The request cannot be read: {error}"), RequestHead(("GET", "/", ""))
                )

    def _counted(self) -> ServerAnswer:
        counts = json.dumps(self._stats.as_object(self._script.struck())).encode()
        return ServerAnswer(status=200, fields=(("content-type", "application/json"),), body=of(counts))

    async def _exchange(self, request: RequestHead, wire: Wire) -> bool:
        """One request and its answer; whether another may follow."""
        method, target, _ = request.line
        operation, batch = operation_of(method, target)
        body = Received(wire.reader, request, until_close=False)
        self._stats.count(operation, request)
        if (request.get("expect") or "").lower() == "100-continue":
            await wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        faults = Faults(self._script.next(operation, batch))
        reply = faults.of(Stage.REPLY)
        async with AsyncExitStack() as stack:
            open_files = stack.enter_context(ExitStack())
            answer: ServerAnswer | None = None
            if reply is None or reply.param("accepted") is not None:
                asked = self._upstream.asked(request, body, chunked=body.chunked)
                answer = await stack.enter_async_context(asked)
                if operation in ("poll", "list", "create", "cancel"):
                    answer, faults = await self._object(answer, faults, operation, batch)
                    reply = faults.of(Stage.REPLY)
            else:
                while await body.read():
                    pass
            if reply is not None:
                answer = made(reply, request)
            if answer is None:
                await wire.close()
                return False
            seed = f"{self._script.seed}/{batch or target}"
            answer = await damaged(answer, faults, request, seed, open_files)
            return await send(wire, answer, faults, request, open_files)

    async def _object(
        self, answer: ServerAnswer, faults: Faults, operation: str, batch: str
    ) -> tuple[ServerAnswer, Faults]:
        """An answer that holds batches, with their results_url leading here; and the faults for batches that ended."""
        try:
            data = await whole(answer.body, _OBJECT_BYTES)
        except ValueError as error:
            return failed(502, f"The upstream sent an answer that is too large: {error}"), faults
        if operation in ("poll", "list") and shows_end(data):
            taken = {fault.kind.stage for fault in faults.striking}
            ended = [fault for fault in self._script.next("ended", batch) if fault.kind.stage not in taken]
            faults = Faults([*faults.striking, *ended])
        data = homed(data, self._upstream.origin, self.base_url)
        if faults.named("null_results_url") is not None:
            data = without_results_url(data)
        return replace(answer, body=of(data)), faults

    async def _send(self, wire: Wire, answer: ServerAnswer, request: RequestHead) -> bool:
        with ExitStack() as open_files:
            return await send(wire, answer, Faults(()), request, open_files)


@asynccontextmanager
async def serving(upstream_url: str, script: Script, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """The proxy, listening; gives its base URL. Leaving the block ends every connection.

    Args:
        upstream_url: the server to stand in front of, e.g. `http://127.0.0.1:8123`.
        script: the faults.
        host: address to listen on; whoever allows one that other machines can reach answers for it.
        port: to listen on; 0 picks a free one.

    Raises:
        OSError: the address or the port cannot be had.
        ValueError: no such URL.
    """
    upstream = Upstream.parse(upstream_url)
    connections: set[asyncio.Task[None]] = set()
    failures: list[BaseException] = []

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.converse(reader, writer))
        connections.add(task)
        task.add_done_callback(partial(ended, writer))

    def ended(writer: asyncio.StreamWriter, task: asyncio.Task[None]) -> None:
        writer.transport.abort()  # here, as a task that is cancelled before it starts never gets to it
        connections.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            failures.append(failure)

    server = await asyncio.start_server(connected, host, port, limit=HEAD_BYTES)
    host, port = server.sockets[0].getsockname()[:2]
    proxy = FaultProxy(upstream, script, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    try:
        yield proxy.base_url
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()
    if failures:  # defects of this package, then: what clients and upstreams do never raises
        raise failures[0]
