"""Requests and records as small as they can be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from streamer.answers.asked import Asked
from streamer.answers.index import Index


def record(custom_id: str, what: str = "succeeded", text: str = "") -> bytes:
    """A record; `what` is a type of result, or of an error."""
    if what == "succeeded":
        usage = {"input_tokens": 3, "output_tokens": 4}
        message = {"model": "claude-haiku-5-5", "content": [{"type": "text", "text": text}], "usage": usage}
        result: dict[str, object] = {"type": "succeeded", "message": message}
    elif what.endswith("_error"):
        result = {"type": "errored", "error": {"type": "error", "error": {"type": what, "message": text}}}
    else:
        result = {"type": what}
    return json.dumps({"custom_id": custom_id, "result": result}, separators=(",", ":")).encode()


def request(custom_id: str, prompt: str = "why?") -> bytes:
    params = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": prompt}]}
    return json.dumps({"custom_id": custom_id, "params": params}, separators=(",", ":")).encode()


def requests(ids: Sequence[str]) -> Iterator[Asked]:
    return (Asked(custom_id, request(custom_id, f"about {custom_id}")) for custom_id in ids)


def results(path: Path, *records: bytes) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in records))
    return path


def indexed(folder: Path, *files: tuple[Path, int]) -> Index:
    """An index of files, each with its attempt."""
    index = Index(folder)
    try:
        for path, attempt in files:
            index.add(path, attempt=attempt)
        index.settle()
    except BaseException:
        index.close()
        raise
    return index
