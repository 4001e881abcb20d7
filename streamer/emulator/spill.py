"""What is kept of the requests of created batches, on disk: memory must not grow with them.

One temporary file for the whole emulator, written at its end only and gone when the emulator is. Each batch knows
its extents in it; an extent holds whole lines, one `Ask` each.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import msgspec

from streamer.emulator.recordbytes import Ask

_EXTENT_BYTES = 64 * 1024

Extents = list[tuple[int, int]]  # offset and length of each, in order


class Spill:
    """The file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="streamer-emulator-")  # noqa: SIM115 - close() is ours

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def append(self, lines: bytes) -> tuple[int, int]:
        """Write one extent; its offset and length."""
        offset = self._file.seek(0, os.SEEK_END)
        self._file.write(lines)
        return offset, len(lines)

    def asks(self, extents: Extents) -> Iterator[Ask]:
        """The requests of a batch, in the order they were created in."""
        decoder = msgspec.json.Decoder(Ask)
        for offset, length in extents:
            self._file.seek(offset)
            for line in self._file.read(length).splitlines():
                yield decoder.decode(line)


class SpillWriter:
    """Collects the requests of one batch, an extent at a time."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self._lines = bytearray()
        self._extents: Extents = []
        self._encoder = msgspec.json.Encoder()

    def add(self, ask: Ask) -> None:
        """Keep one request."""
        self._lines += self._encoder.encode(ask)
        self._lines += b"\n"
        if len(self._lines) >= _EXTENT_BYTES:
            self._flush()

    def finish(self) -> Extents:
        """Where all of them are."""
        self._flush()
        return self._extents

    def _flush(self) -> None:
        if self._lines:
            self._extents.append(self._spill.append(bytes(self._lines)))
            self._lines.clear()
