"""Decoders alone, on bytes that are in memory already: the limits of a typed decode, with no network at all."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import msgspec as library

from benchmarks.job import Job, Stopwatch
from streamer.api.types import Result


class Record(library.Struct):
    """One line of results, all of it."""

    custom_id: str
    result: Result


_held: dict[str, bytes] = {}


def _lines(job: Job) -> list[bytes]:
    """The lines; reading and splitting them is not counted."""
    if job.body not in _held:
        _held[job.body] = Path(job.body).read_bytes()
    return BytesIO(_held[job.body]).readlines()


def msgspec(job: Job, watch: Stopwatch) -> int:
    """Each line into the structs that this library decodes to."""
    lines = _lines(job)
    decode = library.json.Decoder(Record).decode
    timed = Stopwatch()
    count = 0
    for line in lines:
        count += bool(decode(line).result.type)
    watch.took(timed.stop())
    return count


def pydantic(job: Job, watch: Stopwatch) -> int:
    """Each line into the official client's models, validated by pydantic in full."""
    from anthropic.types.messages import MessageBatchIndividualResponse

    lines = _lines(job)
    timed = Stopwatch()
    count = 0
    for line in lines:
        count += bool(MessageBatchIndividualResponse.model_validate_json(line).result.type)
    watch.took(timed.stop())
    return count
