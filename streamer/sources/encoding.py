"""Content encodings of a results body, decoded with a demand that HTTP clients do not make: a clean end.

aiohttp takes a gzip, br or zstd body that was cut for a complete one, so it must not decode; this does. Only what can
be checked to its end is asked for, and only when decoding it is fast enough to be worth it.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Protocol

from streamer.errors import ResultsError, TransportError

PIECE = 256 * 1024  # bytes of output yielded at once, at most; decoding that much takes about half a millisecond
_INPUT = 64 * 1024  # bytes of input handed over at once: what is left of it is copied at each step
_RATIO, _RATIO_FROM = 200, 64 * 1024 * 1024  # the output may be this many times the input, once it is this many bytes
_WINDOW_LOG = 23  # 8 MB, the most that a zstd content encoding may ask for (RFC 9659)


class _Stream(Protocol):
    """One gzip member or zstd frame being decoded, as `bz2`, `zstd` and isal's `igzip_lib` have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _ZlibMember:
    """A gzip member decoded by zlib, behind the interface that isal and zstd have."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)  # 31: a gzip header and check sum, and nothing else
        self._rest = b""

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def needs_input(self) -> bool:
        return not self._rest

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        decoded = self._member.decompress(self._rest + data, max_length)
        self._rest = self._member.unconsumed_tail
        return decoded


class Decoder:
    """Decodes one body of gzip members or zstd frames, one after another."""

    def __init__(self, name: str, begin: Callable[[], _Stream], error: type[Exception]) -> None:
        self._name = name
        self._begin = begin
        self._error = error
        self._stream = begin()
        self._between = False  # at the clean end of a member, where the body may end
        self._received = 0  # bytes of the body
        self._decoded = 0  # bytes that came out

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded bytes that `data`, the next bytes of the body, gives; in pieces of at most `PIECE` bytes.

        Raises:
            TransportError: the compressed data is damaged.
            ResultsError: it grows out of all proportion.
        """
        for start in range(0, len(data), _INPUT):
            yield from self._feed(data[start : start + _INPUT])

    def _feed(self, data: bytes) -> Iterator[bytes]:
        self._received += len(data)
        while data or not (self._between or self._stream.needs_input):
            if self._between:
                self._stream, self._between = self._begin(), False
            try:
                decoded = self._stream.decompress(data, PIECE)
            except self._error as exc:
                raise TransportError(
                    f"the {self._name} stream of the results is damaged near byte {self._received:,}: {exc}",
                    received=self._received,
                ) from None
            data = b""
            if self._stream.eof:
                data, self._between = self._stream.unused_data, True
            self._decoded += len(decoded)
            if self._decoded > max(_RATIO_FROM, _RATIO * self._received):
                raise ResultsError(
                    f"{self._received:,} bytes of {self._name} became more than {self._decoded:,} bytes, over {_RATIO} "
                    "times as many: results do not compress like that, so reading stopped"
                )
            if decoded:
                yield decoded

    def finish(self) -> None:
        """Say that the body has ended.

        Raises:
            TransportError: it ended in the middle of the compressed data.
        """
        if not self._between:
            raise TransportError(
                f"the results ended in the middle of a {self._name} stream, after {self._received:,} bytes",
                received=self._received,
            )


def accept_encoding() -> str:
    """What to ask for: zstd and gzip with their fast decoders (`batchstreamer[fast]`) there, else nothing special.

    zlib's gzip decodes at a quarter of the speed of either, on the event loop, for all downloads together.
    """
    names = [name for name, module in (("zstd", _zstd()), ("gzip", _isal())) if module is not None]
    return ", ".join(names) or "identity"


def decoder(content_encoding: str | None) -> Decoder | None:
    """The decoder for a body with this `Content-Encoding`; None when there is nothing to decode.

    Raises:
        ResultsError: it is one that cannot be decoded here, or that was not asked for and cannot be checked.
    """
    name = (content_encoding or "identity").strip().lower()
    if name == "identity":
        return None
    if name in ("gzip", "x-gzip"):
        isal = _isal()
        if isal is None:
            return Decoder("gzip", _ZlibMember, zlib.error)
        flag = isal.DECOMP_GZIP
        return Decoder("gzip", lambda: isal.IgzipDecompressor(flag=flag), isal.error)
    zstd = _zstd()
    if name == "zstd" and zstd is not None:
        options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        return Decoder("zstd", lambda: zstd.ZstdDecompressor(options=options), zstd.ZstdError)
    raise ResultsError(
        f"the results came encoded as {name[:40]!r}, which was not asked for and cannot be checked to its end; "
        "a proxy in between that compresses on its own must be told not to"
    )


def _isal() -> ModuleType | None:
    """The fast gzip decoder.

    Of its two interfaces `igzip_lib`, which makes room for a whole piece at once: `isal_zlib` begins with 16 KB and
    waits for the interpreter's lock each time that it doubles them, which takes longer than the decoding.
    """
    try:
        from isal import igzip_lib
    except ImportError:
        return None
    return igzip_lib


def _zstd() -> ModuleType | None:
    """The zstd module: in the standard library from Python 3.14."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        return None
    return zstd
