"""HTTP/1.1 as bytes: heads and chunks. Nothing here does I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

HEAD_BYTES = 1 << 18  # that long may a head be that we read; we send longer ones

# Fields that belong to one connection, and not to the message: the proxy says them anew.
HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "expect", "te"})

_TARGET = re.compile(r".*/messages/batches(?:/([^/?]+)(?:/(results|cancel))?)?")
_OPERATIONS = {
    ("POST", False, None): "create",
    ("GET", False, None): "list",
    ("GET", True, None): "poll",
    ("GET", True, "results"): "results",
    ("POST", True, "cancel"): "cancel",
    ("DELETE", True, None): "delete",
}

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The first line of a message and its fields, in order."""

    line: tuple[str, str, str]
    fields: Fields = ()

    def get(self, name: str) -> str | None:
        """The first field of that name, in any case."""
        return next((value for field, value in self.fields if field.lower() == name), None)

    def without(self, names: Iterable[str]) -> Fields:
        """The fields but for those; the names are in lower case."""
        names = frozenset(names)
        return tuple((field, value) for field, value in self.fields if field.lower() not in names)

    def encode(self) -> bytes:
        """The head as it goes out, with the empty line."""
        lines = [" ".join(self.line), *(f"{name}: {value}" for name, value in self.fields)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def parse_head(data: bytes) -> RequestHead:
    """Read a head, its empty line included.

    Raises:
        ValueError: it is none; the message holds nothing of it, as it may hold a key.
    """
    first, *rest = data.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ", 2)
    fields = tuple((name, value.strip()) for name, colon, value in (line.partition(":") for line in rest) if colon)
    if len(words) < 2 or len(fields) != len(rest):
        raise ValueError("this is not HTTP/1.1")
    return RequestHead((words[0], words[1], words[2] if len(words) == 3 else ""), fields)


def operation_of(method: str, target: str) -> tuple[str, str]:
    """Which operation of the API a request is, and of which batch; `other` is none of them.

    >>> operation_of("GET", "/v1/messages/batches/msgbatch_1/results")
    ('results', 'msgbatch_1')
    """
    found = _TARGET.fullmatch(target.partition("?")[0])
    batch, action = found.groups() if found is not None else (None, None)
    operation = _OPERATIONS.get((method, batch is not None, action)) if found is not None else None
    return operation or "other", batch or ""


def chunk(data: bytes) -> bytes:
    r"""One chunk of a chunked body; of no bytes, it is the last one.

    >>> chunk(b"hello"), chunk(b"")
    (b'5\r\nhello\r\n', b'0\r\n\r\n')
    """
    return b"%x\r\n%b\r\n" % (len(data), data)


class Unchunk:
    """The content of a chunked body, from pieces of any size.

    Attributes:
        done: the last chunk and the trailer have come.
    """

    def __init__(self) -> None:
        self.done = False
        self._held = bytearray()  # what belongs to a line that is not whole yet
        self._left = 0  # bytes of this chunk still to come
        self._ending = False  # the CR LF after a chunk is due
        self._trailer = False

    def feed(self, data: bytes) -> bytes:
        """The content in the next piece.

        Raises:
            ValueError: not a chunked body.
        """
        parts = []
        self._held += data
        start = 0
        while not self.done:
            if self._left:
                part = bytes(self._held[start : start + self._left])
                if not part:
                    break
                parts.append(part)
                start += len(part)
                self._left -= len(part)
                self._ending = not self._left
                continue
            end = self._held.find(b"\r\n", start)
            if end < 0:
                break
            line = bytes(self._held[start:end])
            start = end + 2
            self._line(line)
        del self._held[:start]
        if len(self._held) > HEAD_BYTES:
            raise ValueError("this is not a chunked body")
        return b"".join(parts)

    def _line(self, line: bytes) -> None:
        if self._ending:
            self._ending = False
        elif self._trailer:
            self.done = not line
        else:
            self._left = int(line.partition(b";")[0], 16)
            self._trailer = not self._left
