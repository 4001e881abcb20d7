"""Bodies of answers: where bytes come from, one piece after the other. None of them is held in memory."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import IO, Protocol

from streamer.faults.http1 import Fields

PIECE_BYTES = 1 << 16


class Body(Protocol):
    """Bytes to send.

    Attributes:
        size: how many in all; None while nobody knows.
    """

    size: int | None

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        ...


class BodyStage(Protocol):
    """What is done to the bytes of a body as they pass."""

    def feed(self, data: bytes) -> bytes:
        """What becomes of the next bytes; may be empty."""
        ...

    def end(self) -> bytes:
        """What comes after the last of them."""
        ...


class Pieces:
    """A body that is made here."""

    def __init__(self, pieces: Iterable[bytes], size: int | None) -> None:
        self.size = size
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        """The next piece."""
        return next(self._pieces, b"")


class Staged:
    """A body with something done to it."""

    def __init__(self, source: Body, stage: BodyStage) -> None:
        self.size: int | None = None
        self._source = source
        self._stage = stage
        self._over = False

    async def read(self) -> bytes:
        """The next bytes that the stage gives out."""
        while not self._over:
            data = await self._source.read()
            self._over = not data
            if out := self._stage.feed(data) if data else self._stage.end():
                return out
        return b""


class Stored:
    """A body in a file that has no name, from one place in it to another."""

    def __init__(self, file: IO[bytes], start: int, stop: int) -> None:
        self.size: int | None = stop - start
        self._file = file
        self._place = start
        self._stop = stop

    def part(self, start: int, stop: int) -> Stored:
        """A part of it; as many bytes of it as there are."""
        return Stored(self._file, self._place + start, min(self._place + stop, self._stop))

    async def read(self) -> bytes:
        """The next bytes of the file."""
        self._file.seek(self._place)
        data = self._file.read(min(PIECE_BYTES, self._stop - self._place))
        self._place += len(data)
        return data


async def stored(body: Body, open_files: ExitStack) -> Stored:
    """The body, read to its end into a file that is gone with `open_files`: its size is known then."""
    if isinstance(body, Stored):
        return body
    file = open_files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is one
    size = 0
    while data := await body.read():
        file.write(data)
        size += len(data)
    return Stored(file, 0, size)


async def measured(body: Body, open_files: ExitStack) -> Body:
    """The body with its size known."""
    return body if body.size is not None else await stored(body, open_files)


async def whole(body: Body, most: int) -> bytes:
    """All of a body.

    Raises:
        ValueError: it is larger than `most` bytes.
    """
    data = bytearray()
    while piece := await body.read():
        data += piece
        if len(data) > most:
            raise ValueError(f"the body is larger than {most:,} bytes")
    return bytes(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAnswer:
    """An answer to send.

    Attributes:
        status: of the first line.
        reason: the words after it.
        fields: without those about the length of the body.
        body: what follows.
        chunked: how the length of the body is told: by chunks, or by a Content-Length.
        tail: repeated after the body until the client goes away.
    """

    status: int
    reason: str = ""
    fields: Fields = ()
    body: Body
    chunked: bool = False
    tail: bytes = b""

    def with_fields(self, *fields: tuple[str, str]) -> ServerAnswer:
        """The same with these fields, in place of any of the same name."""
        names = {name.lower() for name, _ in fields}
        kept = tuple((name, value) for name, value in self.fields if name.lower() not in names)
        return replace(self, fields=(*kept, *fields))


def of(data: bytes) -> Body:
    """A body of these bytes."""
    return Pieces([data] if data else [], len(data))


def repeated(head: bytes, piece: bytes, times: int) -> Body:
    """A body that is `head` and then a piece again and again."""
    return Pieces(itertools.chain([head], itertools.repeat(piece, times)), len(head) + len(piece) * times)
