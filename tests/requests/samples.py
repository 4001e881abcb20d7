"""Requests to test with, and a call of `prepare` that keeps what it tells."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from streamer.requests.options import PrepareOptions
from streamer.requests.prepare import prepare
from streamer.requests.problems import InvalidRequestsError, Problem
from streamer.requests.reading import RequestFile
from streamer.requests.spool import Spool, read_spool

PARAMS: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hello"}],
}


def params(**changes: Any) -> dict[str, Any]:
    """Good params with other values; a value of ... leaves one out."""
    return {name: value for name, value in {**PARAMS, **changes}.items() if value is not ...}


def request(custom_id: str, /, **changes: Any) -> dict[str, Any]:
    """A good request."""
    return {"custom_id": custom_id, "params": params(**changes)}


def jsonl(*requests: Any) -> bytes:
    """Requests, or raw lines, as lines."""
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in requests)


def prepared(directory: Path, *files: bytes | RequestFile, **options: Any) -> Spool:
    """A spool of good request files."""
    inputs: list[RequestFile] = [io.BytesIO(file) if isinstance(file, bytes) else file for file in files]
    progress = options.pop("progress", None)
    options = {"on_problem": _unexpected, **options}
    return prepare(inputs, directory / "project" / "requests.jsonl", PrepareOptions(**options), progress=progress)


def _unexpected(problem: Problem) -> None:
    pytest.fail(f"unexpected: {problem}")


def lines_of(spool: Spool) -> list[Any]:
    """The requests of a spool, read back."""
    return [json.loads(line) for _, line in read_spool(spool.path)]


def refused(directory: Path, *files: bytes | RequestFile, **options: Any) -> list[str]:
    """What is told of request files that cannot be sent; and nothing is left of them."""
    inputs: Sequence[RequestFile] = [io.BytesIO(file) if isinstance(file, bytes) else file for file in files]
    told: list[str] = []
    project = directory / "project"
    with pytest.raises(InvalidRequestsError) as caught:
        prepare(
            inputs,
            project / "requests.jsonl",
            PrepareOptions(on_problem=lambda problem: told.append(str(problem)), **options),
        )
    assert caught.value.count == len(told)
    assert [str(problem) for problem in caught.value.problems] == told[:1000]
    assert not project.exists()
    return told
