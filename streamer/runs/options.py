"""What can be chosen about a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streamer.api.types import RESULT_TYPES
from streamer.defaults import CONCURRENCY, POLL_INTERVAL
from streamer.delivery.options import DeliveryOptions
from streamer.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class RunOptions(DeliveryOptions):
    """How batches are waited for and delivered; the first four are those of every delivery.

    Attributes:
        only: the result types to deliver, e.g. `{"succeeded", "errored"}`; None for all.
        max_record_bytes: a longer record is never held whole; sinks that cannot take it in parts reject it.
        usage: count tokens. Without it ids and types of records of the usual shape are read from their first bytes,
            which takes half the time, and damage further inside a record goes unnoticed here.
        rejects: path template of the file that keeps what could not be decoded, e.g.
            `results/{batch_id}.rejects.jsonl`; it is made only when there is something to keep. None to keep none.
        everything: every batch of the workspace as well whose results are not archived yet.
        follow: keep looking for new batches; then the run never ends by itself.
        concurrency: downloads under way at once. Memory is bounded by this times the records held at once.
        poll_interval: seconds: the shortest pause between two questions about the same batch.
        expected_ids: the custom_ids of the requests, of all the batches together, where they are known: then the
            report names those that no batch answered, and a batch that answers others is not complete.

    Raises:
        ConfigurationError: a value that cannot work. A misspelt type would match nothing, and a batch with nothing to
            deliver is complete.

    Example:
        >>> options = RunOptions(only={"errored"}, concurrency=16)
    """

    everything: bool = False
    follow: bool = False
    concurrency: int = CONCURRENCY
    poll_interval: float = POLL_INTERVAL
    expected_ids: Iterable[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.only, str):
            raise ConfigurationError(f"only is a collection of strings, not one string; write [{self.only!r}]")
        if unknown := set(self.only or ()).difference(RESULT_TYPES):
            raise ConfigurationError(f"{min(unknown)!r} is no type of result; they are {', '.join(RESULT_TYPES)}")
        if self.concurrency < 1:
            raise ConfigurationError(f"concurrency must be 1 or more, not {self.concurrency}")
        if not self.poll_interval > 0:
            raise ConfigurationError(f"poll_interval must be more than 0 seconds, not {self.poll_interval}")
        if self.max_record_bytes < 1:
            raise ConfigurationError(f"max_record_bytes must be 1 or more, not {self.max_record_bytes}")
