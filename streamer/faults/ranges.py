"""Validators and parts of a body: what to answer to Range and If-Range (RFC 9110, 13 and 14), truly or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from streamer.faults.http1 import Fields
from streamer.faults.script import Fault

_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))")


@dataclass(frozen=True, slots=True)
class Extract:
    """What of a body to send, and how to call it."""

    status: int
    start: int
    stop: int
    fields: Fields


def part(fault: Fault, size: int, seed: str, asked: str | None, if_range: str | None) -> Extract:
    """What a request with these Range and If-Range fields gets of a body of `size` bytes.

    Args:
        fault: one of the stage `RANGE`.
        size: bytes of the whole body.
        seed: makes the ETag, e.g. of the batch; the same seed, the same ETag.
        asked: the Range field; only one part of bytes is understood, and whatever else is ignored.
        if_range: the If-Range field.
    """
    tag = _etag(fault, seed)
    marks: Fields = (("etag", tag), ("accept-ranges", "bytes"))
    everything = Extract(200, 0, size, marks)
    found = _RANGE.fullmatch(asked) if asked is not None else None
    if found is None or fault.name == "ignore_range":
        return everything
    first, last, suffix = found.groups()
    start = int(first) if suffix is None else max(0, size - int(suffix))
    stop = min(size, int(last) + 1) if last else size
    if fault.name == "range_416" or start >= size or start >= stop:
        return Extract(416, 0, 0, (*marks, ("content-range", f"bytes */{size}")))
    if fault.name == "wrong_range":
        return _wrong(str(fault.value), start, stop, size, marks)
    # A weak tag never matches here: RFC 9110, 13.1.5 asks for the strong comparison.
    if if_range is not None and (if_range != tag or tag.startswith("W/")):
        return everything
    return Extract(206, start, stop, (*marks, _content_range(start, stop, size)))


def _wrong(how: str, start: int, stop: int, size: int, marks: Fields) -> Extract:
    match how:
        case "start":
            start = start + 1 if start + 1 < stop else max(0, start - 1)
            return Extract(206, start, stop, (*marks, _content_range(start, stop, size)))
        case "total":
            return Extract(206, start, stop, (*marks, _content_range(start, stop, size + 1)))
        case _:
            return Extract(206, start, stop, marks)


def _content_range(start: int, stop: int, size: int) -> tuple[str, str]:
    return "content-range", f"bytes {start}-{stop - 1}/{size}"


def _etag(fault: Fault, seed: str) -> str:
    source = f"{seed}/{fault.draw}" if fault.name == "change_etag" else seed
    tag = f'"{sha256(source.encode()).hexdigest()[:16]}"'
    return f"W/{tag}" if fault.name == "weak_etag" else tag
