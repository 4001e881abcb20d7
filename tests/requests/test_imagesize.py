"""Images are in the estimate by their width and height; what tells no size is counted, and no upper end is claimed."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamer.requests.imagesize import MOST_TOKENS, image_size, image_tokens
from tests.requests.samples import jsonl, prepared, request


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02\x00\x00\x00" * 100


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x00" * 100


def jpeg(width: int, height: int, exif: int = 0) -> bytes:
    frame = struct.pack(">BBHBHH", 0xFF, 0xC2, 17, 8, height, width)
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", 65_535) + b"x" * 65_533 for _ in range(exif))
    return b"\xff\xd8" + segments + b"\xff\xff\xdb\x00\x04\x00\x00" + frame + b"\x00" * 100


def webp(width: int, height: int, kind: bytes) -> bytes:
    head = b"RIFF\x00\x00\x00\x00WEBP" + kind + b"\x00\x00\x00\x00"
    if kind == b"VP8X":
        return head + b"\x00" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + b"\x00" * 9
    if kind == b"VP8L":
        return head + b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + b"\x00" * 9
    return head + b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\x00" * 9


IMAGES = {
    "png": png(1092, 800),
    "gif": gif(1092, 800),
    "jpeg": jpeg(1092, 800),
    "jpeg behind what a camera wrote": jpeg(1092, 800, exif=3),
    "webp": webp(1092, 800, b"VP8 "),
    "webp without loss": webp(1092, 800, b"VP8L"),
    "webp extended": webp(1092, 800, b"VP8X"),
}


def block(data: bytes) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": b64encode(data).decode()}
    return {"type": "image", "source": source}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_counts_by_its_size(tmp_path: Path, name: str) -> None:
    assert image_size(IMAGES[name]) == (1092, 800)
    blocks = [block(IMAGES[name])]
    answer = [{"type": "tool_result", "tool_use_id": "t", "content": blocks}]
    document = [{"type": "document", "source": {"type": "content", "content": blocks}}]
    for content in (blocks, answer, document):
        spool = prepared(tmp_path, jsonl(request("a", messages=[{"role": "user", "content": content}])))
        assert spool.estimate.input_tokens == {"claude-haiku-5-5": -(-1092 * 800 // 750)}
        assert spool.estimate.unsized == {}


def test_a_large_image_is_made_smaller_before_it_is_read() -> None:
    assert image_tokens(msgspec.Raw(json.dumps(b64encode(png(8000, 6000)).decode()).encode())) == MOST_TOKENS


def test_slashes_may_be_escaped_as_some_languages_do() -> None:
    data = b64encode(webp(1092, 800, b"VP8 ").replace(b"\x00\x00\x00\x00", b"\xff\xff\xff\xff")).decode()
    assert "/" in data[:40]
    assert image_tokens(msgspec.Raw(json.dumps(data).replace("/", "\\/").encode())) == 1165


@pytest.mark.parametrize(
    "content",
    [
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAANSUg="}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "***"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": 5}},
        {"type": "image", "source": {"type": "base64"}},
    ],
)
def test_what_does_not_tell_its_size_is_counted_as_that(tmp_path: Path, content: Any) -> None:
    spool = prepared(tmp_path, jsonl(request("a", messages=[{"role": "user", "content": [content]}])))
    assert spool.estimate.input_tokens == {"claude-haiku-5-5": 0}
    assert spool.estimate.unsized == {"claude-haiku-5-5": 1}
