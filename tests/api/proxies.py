"""A real forward proxy in a process of its own, and what a client said to it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

START_SECONDS = 30.0


@contextmanager
def forward_proxy(folder: Path, login: str = "", certificate: trustme.LeafCert | None = None) -> Iterator[int]:
    """Run proxy.py; its port. A `login`, `user:password`, keeps others out; with a `certificate` it speaks TLS."""
    folder.mkdir(exist_ok=True)
    port_file = folder / "port"
    command = [sys.executable, "-W", "ignore", "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0"]
    command += ["--port-file", str(port_file), "--num-workers", "1", "--num-acceptors", "1"]
    command += ["--data-dir", str(folder), "--log-level", "ERROR"]
    if login:
        command += ["--basic-auth", login]
    if certificate is not None:
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        (folder / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
        command += ["--cert-file", str(folder / "chain.pem"), "--key-file", str(folder / "key.pem")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + START_SECONDS
        while not (port_file.exists() and port_file.read_text().strip()):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        yield int(port_file.read_text().split()[0])
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@dataclass
class Wire:
    """A listener that passes all on to a port, and what went there."""

    url: str = ""
    sent: bytearray = field(default_factory=bytearray)
    connections: int = 0


@asynccontextmanager
async def watched(port: int) -> AsyncIterator[Wire]:
    """Stand between a client and what listens on `port`."""
    wire = Wire()
    passing: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copy: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                copy += data
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        passing.add(task)
        wire.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(carry(reader, far_writer, wire.sent), carry(far_reader, writer, bytearray()))
        finally:
            for one in (writer, far_writer):
                one.transport.abort()
            passing.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        for task in list(passing):
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
