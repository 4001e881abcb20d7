"""What holds for the delivery of every batch of a run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from streamer.api.types import ResultType
from streamer.results.framing import MAX_RECORD_BYTES
from streamer.sinks.template import PathTemplate


@dataclass(frozen=True, kw_only=True)
class DeliveryOptions:
    """How the records of a batch are delivered.

    Attributes:
        only: the result types to deliver, e.g. `{"succeeded", "errored"}`; None for all. See `ResultType`.
        max_record_bytes: a longer record is never held whole; sinks that cannot take it in parts reject it.
        usage: count tokens. Without it ids and types of records of the usual shape are read from their first bytes,
            which takes half the time, and damage further inside a record goes unnoticed here.
        rejects: path template of the file that keeps what could not be decoded, e.g.
            `results/{batch_id}.rejects.jsonl`; it is made only when there is something to keep. None to keep none.
    """

    only: Collection[ResultType] | None = None
    max_record_bytes: int = MAX_RECORD_BYTES
    usage: bool = True
    rejects: str | None = None

    def __post_init__(self) -> None:
        if self.rejects is not None:
            PathTemplate(self.rejects)  # what is wrong with it is better said before the first batch has ended
