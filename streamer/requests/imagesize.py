"""How many tokens an image takes, from the width and height that its first bytes tell.

An image takes about width times height / 750 tokens, and a large one is made smaller first; the newest models allow
4,784 tokens, the older ones about 1,600 (https://platform.claude.com/docs/en/build-with-claude/vision). Here the larger
bound is used, so that the figure is too high rather than too low.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from struct import error as TooShort  # noqa: N812 - what it means here
from struct import unpack_from

from msgspec import Raw

PIXELS_PER_TOKEN = 750
MOST_TOKENS = 4784

# Bytes of base64 that are looked at: most images tell their size at once, a JPEG only behind what its camera wrote.
_LOOKED_AT = (1 << 7, 1 << 14, 1 << 20)
_FRAMES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers with nothing behind them


def image_tokens(data: Raw) -> int | None:
    """About how many tokens an image takes.

    Args:
        data: base64 as a JSON string.

    Returns:
        The number; None when it is no image whose size can be read.
    """
    view = memoryview(data)
    for most in _LOOKED_AT:
        size = image_size(_decoded(bytes(view[1:most])))
        if size is not None:
            width, height = size
            return min(-(-width * height // PIXELS_PER_TOKEN), MOST_TOKENS)
        if most >= len(view):
            break
    return None


def image_size(head: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF, WebP or JPEG that begins so; None where that does not tell.

    >>> image_size(b"GIF89a" + bytes([64, 1, 200, 0]))
    (320, 200)
    """
    for begin, read in _READERS.items():
        if head.startswith(begin):
            try:
                size = read(head)
            except (TooShort, IndexError):
                return None
            return size if size and min(size) > 0 else None
    return None


def _decoded(base64: bytes) -> bytes:
    """The bytes; what is behind the last group of four is left out, and so are escapes of JSON."""
    plain = base64.rstrip(b'"').replace(b"\\/", b"/").replace(b"\\n", b"").replace(b"\\r", b"").rstrip(b"\\")
    try:
        return binascii.a2b_base64(plain[: len(plain) // 4 * 4])
    except binascii.Error:
        return b""


def _png(head: bytes) -> tuple[int, int]:
    width, height = unpack_from(">II", head, 16)
    return width, height


def _gif(head: bytes) -> tuple[int, int]:
    width, height = unpack_from("<HH", head, 6)
    return width, height


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8 ":
        width, height = unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        [bits] = unpack_from("<I", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(head) >= 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    return None


def _jpeg(head: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if head[at] != 0xFF:
            raise IndexError  # no marker where one has to be
        marker = head[at + 1]
        if marker == 0xFF:  # a filling byte
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            height, width = unpack_from(">HH", head, at + 5)
            return width, height
        else:
            [length] = unpack_from(">H", head, at + 2)
            at += 2 + length


_READERS: dict[bytes, Callable[[bytes], tuple[int, int] | None]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"GIF8": _gif,
    b"RIFF": _webp,
    b"\xff\xd8": _jpeg,
}
