"""What can be chosen about how request files are read and split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamer.defaults import MAX_BYTES, MAX_REQUESTS
from streamer.requests.problems import OnProblem, Problem


def ignore(problem: Problem) -> None:
    """Nobody hears of a problem when it is found; the error that is raised in the end holds the first thousand."""


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """How request files are read and split.

    Attributes:
        id_prefix: what custom_ids that have to be made begin with, `request-` unless given; they go on with the number
            of the request among all, from 1.
        template: a JSON file of params, with `{column}` in its strings, for rows of data: CSV, or JSON objects, whose
            keys are the columns. It may be a whole request: `{"custom_id": "{id}", "params": {...}}`.
        max_requests: how many requests a batch may have.
        max_bytes: how long the body of a batch may be.
        on_problem: is given everything that is wrong with the files, as it is found.
    """

    id_prefix: str | None = None
    template: str | Path | None = None
    max_requests: int = MAX_REQUESTS
    max_bytes: int = MAX_BYTES
    on_problem: OnProblem = ignore
