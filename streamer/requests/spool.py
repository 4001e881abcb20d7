"""The spool: one normalised copy of all requests of a submission, checked, from which batches are sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from streamer.disk.wholefile import BUFFER, WholeFile
from streamer.requests.advice import Advice
from streamer.requests.estimate import Estimate
from streamer.requests.jsontext import Text
from streamer.requests.slices import Slice

_BUFFER = 1 << 20  # bytes read at once
_ID_AT = len(b'{"custom_id":"')  # where the id begins in a line


class Spool(msgspec.Struct, frozen=True):
    """A spool on the disk.

    Attributes:
        path: the file; each line is `{"custom_id":"...","params":{...}}` and a newline.
        slices: what becomes of it: a batch for each.
        requests: how many lines it has.
        digest: the SHA-256 of its bytes, in hex: the same requests make the same spool.
        estimate: what it comes to.
        advice: what the prompt cache could do.
        notices: sentences about what was left out, or is sent as it is and may not be meant so.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from streamer.requests.prepare import prepare
        >>> with TemporaryDirectory() as folder:
        ...     given = Path(folder, "given.jsonl")
        ...     _ = given.write_text('{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}')
        ...     spool = prepare([given], Path(folder, "project", "requests.jsonl"))
        ...     [custom_id for custom_id, line in read_spool(spool.path)]
        ['request-1']
    """

    path: Path
    slices: list[Slice]
    requests: int
    digest: str
    estimate: Estimate
    advice: list[Advice]
    notices: list[str] = []


def read_spool(path: Path, part: Slice | None = None) -> Iterator[tuple[str, bytes]]:
    """The requests of a spool, or of one slice of it, in order.

    Yields:
        The custom_id, and the line without its newline.

    Raises:
        OSError: it cannot be read.
        ValueError: no line of it ends where the slice does.
    """
    with path.open("rb", buffering=_BUFFER) as file:
        at, end = (0, os.fstat(file.fileno()).st_size) if part is None else (part.start, part.end)
        file.seek(at)
        while at < end and (line := file.readline()):
            at += len(line)
            yield custom_id_of(line), line[:-1]
        if at != end:
            raise ValueError(f"no request in {path} ends at byte {end:,}, where the slice does")


def custom_id_of(line: bytes) -> str:
    """The custom_id of a spool's line.

    >>> custom_id_of(b'{"custom_id":"a-1","params":{}}')
    'a-1'
    """
    return line[_ID_AT : line.index(b'"', _ID_AT)].decode()


class NewSpool(WholeFile):
    """A spool that is being written, a line at a time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._sha = sha256()

    @property
    def digest(self) -> str:
        """The SHA-256 of what was written so far, in hex."""
        return self._sha.hexdigest()

    def write(self, data: Text) -> None:
        """Write the next bytes of a line, of which the last is its newline; long ones are not copied."""
        self._sha.update(data)
        if len(data) > BUFFER:
            self.flush()  # alone they need not be put together with others
        super().write(data)
