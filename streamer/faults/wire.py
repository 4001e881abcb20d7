"""One connection of a client: what is read from it, written to it, and the ways in which it ends."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

from streamer.faults.body import PIECE_BYTES
from streamer.faults.http1 import HEAD_BYTES, RequestHead, Unchunk, parse_head

_UNSENT_CHECK = 0.002  # seconds between two looks at what the kernel has still to send
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time: closing sends RST

_TCP_CLOSE = 7  # the state of a connection that is over, as linux/tcp_states.h numbers it


async def put(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send these bytes, and wait until they have left as far as the transport is told to.

    Raises:
        ConnectionError: the other side is gone.
    """
    if writer.transport.is_closing():  # uvloop would raise RuntimeError
        raise ConnectionResetError("the connection is closed")
    writer.write(data)
    await writer.drain()


async def read_head(reader: asyncio.StreamReader) -> RequestHead | None:
    """The next head; None where the connection ends instead.

    Raises:
        ValueError: not HTTP/1.1, or longer than `HEAD_BYTES`.
    """
    try:
        return parse_head(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise ValueError(f"a head longer than {HEAD_BYTES:,} bytes") from None


class Received:
    """The body of a message that arrives; raises ConnectionError where it breaks off.

    Args:
        reader: at the first byte after the head.
        head: says how the body ends.
        until_close: what has no length goes on to the end of the connection (an answer), or is empty (a request).
    """

    def __init__(self, reader: asyncio.StreamReader, head: RequestHead, *, until_close: bool) -> None:
        self._reader = reader
        self._unchunk = Unchunk() if "chunked" in (head.get("transfer-encoding") or "").lower() else None
        length = head.get("content-length")
        self.chunked = self._unchunk is not None
        self.size: int | None = None
        if not self.chunked and (length is not None or not until_close):
            self.size = int(length or 0)
        self._left = self.size

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        if self._unchunk is not None:
            return await self._content(self._unchunk)
        if self._left is None:
            return await self._reader.read(PIECE_BYTES)
        if self._left == 0:
            return b""
        data = await self._arrived(min(PIECE_BYTES, self._left))
        self._left -= len(data)
        return data

    async def _content(self, unchunk: Unchunk) -> bytes:
        while not unchunk.done:
            data = await self._arrived(PIECE_BYTES)
            try:
                content = unchunk.feed(data)
            except ValueError:
                raise ConnectionResetError("a body that is not chunked as its head says") from None
            if content:
                return content
        return b""

    async def _arrived(self, most: int) -> bytes:
        data = await self._reader.read(most)
        if not data:
            raise ConnectionResetError("the connection ended within a body")
        return data


class Wire:
    """A client's connection.

    What is written has left for the kernel when `write` returns, so that the faults are exact to the byte.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)

    async def write(self, data: bytes) -> None:
        """Send these bytes.

        Raises:
            ConnectionError: the client is gone.
        """
        await put(self._writer, data)

    async def close(self) -> None:
        """End it with FIN, after all that was written."""
        self._writer.close()
        await self._writer.wait_closed()

    async def reset(self) -> None:
        """End it with RST, once the client's side has all that was written."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        # The kernel tells nobody when the last byte has arrived: it has to be asked.
        while not self._writer.transport.is_closing() and _unsent(connection):  # noqa: ASYNC110
            await asyncio.sleep(_UNSENT_CHECK)
        if self._writer.transport.is_closing():
            raise ConnectionResetError("the client was faster")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client leaves."""
        while await self.reader.read(PIECE_BYTES):
            pass


def _unsent(connection: socket.socket) -> bool:
    """Whether the other side may still acknowledge more of what was sent; no, where the system does not say."""
    if sys.platform != "linux":
        return False
    import fcntl
    import termios

    # A client that is gone acknowledges nothing more, and a loop that has read its FIN does not notice its RST.
    if connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE:
        return False
    (count,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))
    return bool(count)
