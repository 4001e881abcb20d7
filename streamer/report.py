"""What a run did: a report for each batch and one for the run, live while it runs and as JSON in the end."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from streamer.results.accounting import Tokens


class Outcome(StrEnum):
    """What became of a batch in this run."""

    WAITING = "waiting"  #: not ended yet
    STREAMING = "streaming"  #: its records are on their way
    DELIVERED = "delivered"  #: every record is in every sink, proved by the counts
    ALREADY_DELIVERED = "already_delivered"  #: an earlier run delivered it; nothing was downloaded
    INCOMPLETE = "incomplete"  #: records are missing, too many, or could not be decoded
    FAILED = "failed"  #: not delivered; `error` says why


class BatchReport(msgspec.Struct, kw_only=True):
    """What became of one batch. Counters are live: they grow while the records stream."""

    batch_id: str
    outcome: Outcome = Outcome.WAITING
    expected: int = 0  # records the batch has, by its request_counts
    distinct: int = 0  # distinct custom_ids that are delivered, those of earlier runs included
    records: dict[str, int] = {}  # those, by type
    errors: dict[str, int] = {}  # errored records that came in this run, by the API's error type
    error_messages: dict[str, int] = {}  # of those by `type: message`, as the API said it; the first 100 kinds
    duplicates: int = 0  # records whose custom_id had come before in the same download
    duplicate_ids: list[str] = []  # the first 100 of those custom_ids
    unknown_ids: list[str] = []  # the first 100 custom_ids that nobody asked for, where the requests are known
    rejected: int = 0  # records that could not be decoded
    bytes: int = 0  # bytes of results received, decoded, over all downloads of this run
    downloads: int = 0  # how often the results were asked for
    seconds: float = 0.0  # from opening the sinks to closing them
    usage: dict[str, Tokens] = {}  # tokens by model, of the records that came in this run
    destinations: list[str] = []  # where the records are, one for each sink
    error: str = ""  # why it is incomplete or failed, in one sentence

    @property
    def complete(self) -> bool:
        """Whether every record of the batch is delivered."""
        return self.outcome in {Outcome.DELIVERED, Outcome.ALREADY_DELIVERED}


class RunReport(msgspec.Struct, kw_only=True):
    """What a run did."""

    batches: list[BatchReport] = []
    seconds: float = 0.0
    requests: int = 0  # HTTP requests sent, retries included
    retries: int = 0  # of those, requests repeated after a fault
    missing: int | None = None  # expected custom_ids that no batch answered; None where the requests are not known
    missing_ids: list[str] = []  # the first 100 of those

    @property
    def complete(self) -> bool:
        """Whether every record of every batch is delivered, and every expected custom_id answered."""
        return not self.missing and all(report.complete for report in self.batches)

    @property
    def records(self) -> dict[str, int]:
        """Records of all batches by type."""
        total: dict[str, int] = {}
        for report in self.batches:
            for name, n in report.records.items():
                total[name] = total.get(name, 0) + n
        return total

    @property
    def error_messages(self) -> dict[str, int]:
        """What the API said of errored records that came in this run, by how many, of all batches."""
        total: dict[str, int] = {}
        for report in self.batches:
            for message, n in report.error_messages.items():
                total[message] = total.get(message, 0) + n
        return total

    @property
    def bytes(self) -> int:
        """Bytes of results received, of all batches."""
        return sum(report.bytes for report in self.batches)

    @property
    def usage(self) -> dict[str, Tokens]:
        """Tokens of all batches by model."""
        total: dict[str, Tokens] = {}
        for report in self.batches:
            for model, tokens in report.usage.items():
                total.setdefault(model, Tokens()).add(tokens)
        return total


class ProcessReport(msgspec.Struct, kw_only=True):
    """What became of the requests."""

    to: str  # where the answers are
    project: str  # the directory of the submission
    requests: int = 0
    answers: dict[str, int] = {}  # by type of result, each request once
    errors: dict[str, int] = {}  # errored answers by the API's error type
    missing: int = 0  # requests that no record answers; they are not in the output
    missing_ids: list[str] = []  # the first 100 of those
    unknown: int = 0  # records that answer none of the requests
    retryable: int = 0  # requests that failed, and might not if they were sent once more
    attempts: int = 0  # how often something was sent, the first time included
    sent_again: int = 0  # requests sent again, over all attempts
    batches: list[BatchReport] = []  # those that were waited for in this run
    usage: dict[str, Tokens] = {}  # tokens by model, of all records of all attempts
    seconds: float = 0.0  # of this run
    http_requests: int = 0  # sent in this run, repetitions included
    http_retries: int = 0  # of those, repetitions after a fault

    @property
    def complete(self) -> bool:
        """Whether every request has its answer, and none that might be better if it were sent again."""
        return not (self.missing or self.unknown or self.retryable)
