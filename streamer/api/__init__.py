"""The Message Batches API: client, objects, errors."""

from streamer.api.body import MemoryBody, RequestBody
from streamer.api.client import Client
from streamer.api.clock import Clock, SystemClock
from streamer.api.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    IncompleteError,
    NotFoundError,
    NotResultsError,
    OutcomeUnknownError,
    RateLimitError,
    RecordError,
    ResultsError,
    SinkError,
    StreamerError,
    SubmissionError,
    TransportError,
    UntrustedHostError,
)
from streamer.api.exchange import Polled
from streamer.api.retry import RetryPolicy
from streamer.api.transport import ResultsBody, Timeouts
from streamer.api.types import Batch, BatchPage, DeletedBatch, RequestCounts

__all__ = [
    "ApiError",
    "AuthenticationError",
    "Batch",
    "BatchPage",
    "Client",
    "Clock",
    "ConfigurationError",
    "DeletedBatch",
    "IncompleteError",
    "MemoryBody",
    "NotFoundError",
    "NotResultsError",
    "OutcomeUnknownError",
    "Polled",
    "RateLimitError",
    "RecordError",
    "RequestBody",
    "RequestCounts",
    "ResultsBody",
    "ResultsError",
    "RetryPolicy",
    "SinkError",
    "StreamerError",
    "SubmissionError",
    "SystemClock",
    "Timeouts",
    "TransportError",
    "UntrustedHostError",
]
