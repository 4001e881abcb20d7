"""What can be chosen about a submission, and about having it answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamer.defaults import CONCURRENCY, POLL_INTERVAL, RETRIES
from streamer.errors import ConfigurationError
from streamer.requests.options import PrepareOptions
from streamer.submission.options import CreateOptions


@dataclass(frozen=True, kw_only=True)
class SubmitOptions(PrepareOptions, CreateOptions):
    """How requests become batches.

    Attributes:
        id_prefix: what custom_ids that have to be made begin with, `request-` unless given.
        template: a JSON file of params, with `{column}` in its strings, for rows of data: CSV or JSON objects.
        max_requests: how many requests a batch may have.
        max_bytes: how long the body of a batch may be.
        on_problem: is told of everything that is wrong with the files, and of what the API refuses of the probe.
        on_unknown: what to do where it cannot be told whether a batch was created: `stop`; `resend`, which may create
            it twice; the id of the batch that it is; or a coroutine function that gets an `Unsettled` and returns one
            of these.
        warm_cache: send the first request alone, and the others when it has ended, so that they find the cache warm.
        changed: what to do about requests that were sent with other params before: `refuse`; or `resend`, which sends
            and pays for them again.
        project: the directory of the submission; by default the first file's name and `.streamer`.
        probe: so many requests are sent first as ordinary messages, at the full price and unless a batch was sent
            already; if the API refuses one of them, nothing else is sent.

    Example:
        >>> options = SubmitOptions(template="params.json", warm_cache=True)
    """

    project: str | Path | None = None
    probe: int = 0
    changed: Literal["refuse", "resend"] = "refuse"


@dataclass(frozen=True, kw_only=True)
class ProcessOptions(SubmitOptions):
    """How requests are answered: all of `SubmitOptions`, and how their batches are waited for, sent again and joined.

    Attributes:
        batch_ids: batches that were made of these requests elsewhere; then only what failed in them is sent.
        retries: how many times requests that failed are sent again, at most.
        fields: what of each request to put beside its answer: see `streamer.answers.fields.Fields`.
        text: write the text of each answer alone, and not its record: `{custom_id: text}` into a file that ends in
            `.json`, columns with a tab between them into `.tsv`, else lines of `{"custom_id", "text"}`. What is no
            success has the text null.
        concurrency: downloads under way at once.
        poll_interval: seconds: the shortest pause between two questions about the same batch.

    Raises:
        ConfigurationError: a value that cannot work.

    Example:
        >>> options = ProcessOptions(retries=5, fields=["params.model"])
    """

    batch_ids: Sequence[str] = ()
    retries: int = RETRIES
    fields: Sequence[str] = ()
    text: bool = False
    concurrency: int = CONCURRENCY
    poll_interval: float = POLL_INTERVAL

    def __post_init__(self) -> None:
        if isinstance(self.batch_ids, str) or isinstance(self.fields, str):
            raise ConfigurationError("batch_ids and fields are lists, not one string; put it into [...]")
        if self.retries < 0:
            raise ConfigurationError(f"retries must be 0 or more, not {self.retries}")
