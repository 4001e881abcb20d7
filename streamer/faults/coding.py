"""Damage to the bytes of a body: compression, and a single bit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from streamer.faults.body import Body, BodyStage, Pieces
from streamer.faults.kinds import zstd

_BLOCK_BYTES = 1 << 20
_BOMB_RECORD = b'{"custom_id":"bomb","result":{"type":"succeeded","message":{"content":[]}}}\n'


class BitFlip:
    """Flips the lowest bit of one byte."""

    def __init__(self, place: int) -> None:
        self._place = place
        self._passed = 0

    def feed(self, data: bytes) -> bytes:
        """The next bytes, one of them other than it was."""
        index = self._place - self._passed
        self._passed += len(data)
        if 0 <= index < len(data):
            changed = bytearray(data)
            changed[index] ^= 1
            return bytes(changed)
        return data

    def end(self) -> bytes:
        """Nothing."""
        return b""


class Compress:
    """Compresses what passes."""

    def __init__(self, compressor: Any) -> None:  # zlib has no public name for its type
        self._compressor = compressor

    def feed(self, data: bytes) -> bytes:
        """What the compressor gives out so far."""
        out: bytes = self._compressor.compress(data)
        return out

    def end(self) -> bytes:
        """The rest of it."""
        out: bytes = self._compressor.flush()
        return out


def compress(coding: str) -> BodyStage:
    """The stage that makes a body of content-encoding gzip, deflate or zstd."""
    if coding == "zstd":
        return Compress(zstd().ZstdCompressor())
    return Compress(zlib.compressobj(6, wbits=31 if coding == "gzip" else 15))


def bomb(size: int) -> Body:
    """A gzip body of one valid record over and over, that grows to about `size` bytes; one block is compressed."""
    times = max(1, round(size / _BLOCK_BYTES))
    block = _BOMB_RECORD * (_BLOCK_BYTES // len(_BOMB_RECORD))
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)  # can be repeated: it refers to nothing before
    last = packer.flush()
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"

    def pieces() -> Iterator[bytes]:
        check = 0
        yield head
        for _ in range(times):
            check = zlib.crc32(block, check)
            yield packed
        yield last + check.to_bytes(4, "little") + (len(block) * times % (1 << 32)).to_bytes(4, "little")

    return Pieces(pieces(), len(head) + len(packed) * times + len(last) + 8)
