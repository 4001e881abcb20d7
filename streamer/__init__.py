"""Watch many Message Batches at once and stream every result, record by record, into sinks.

>>> import streamer
>>> async def main() -> None:
...     async with streamer.Client() as client:
...         report = await streamer.run(client, ["msgbatch_01..."], streamer.FileSink("results/{batch_id}.jsonl"))
...         print(report.records, report.complete)

Nothing here configures logging, installs a signal handler or chooses an event loop: those belong to the program.
"""

from logging import NullHandler, getLogger

from streamer.api import (
    ApiError,
    AuthenticationError,
    Batch,
    BatchPage,
    Client,
    ConfigurationError,
    DeletedBatch,
    IncompleteError,
    NotFoundError,
    NotResultsError,
    OutcomeUnknownError,
    RateLimitError,
    RecordError,
    RequestCounts,
    ResultsError,
    RetryPolicy,
    SinkError,
    StreamerError,
    TransportError,
    UntrustedHostError,
)
from streamer.pipeline import Records, run, stream
from streamer.report import BatchReport, Observer, Outcome, RunReport
from streamer.results.accounting import Tally, Tokens
from streamer.results.block import Block
from streamer.results.record import Record
from streamer.roster import Ended, Lost
from streamer.sinks import CallbackSink, FileSink, PartWriter, QueueSink, Sink, StdoutSink, Writer, sink_for
from streamer.watch import watch

getLogger("streamer").addHandler(NullHandler())

__all__ = [
    # the main job
    "Client",
    "Records",
    "run",
    "stream",
    "watch",
    # what it tells
    "BatchReport",
    "Observer",
    "Outcome",
    "RunReport",
    "Tokens",
    # what flows
    "Batch",
    "BatchPage",
    "Block",
    "DeletedBatch",
    "Ended",
    "Lost",
    "Record",
    "RequestCounts",
    # where it goes
    "CallbackSink",
    "FileSink",
    "PartWriter",
    "QueueSink",
    "Sink",
    "StdoutSink",
    "Tally",
    "Writer",
    "sink_for",
    # how patient
    "RetryPolicy",
    # what can go wrong
    "ApiError",
    "AuthenticationError",
    "ConfigurationError",
    "IncompleteError",
    "NotFoundError",
    "NotResultsError",
    "OutcomeUnknownError",
    "RateLimitError",
    "RecordError",
    "ResultsError",
    "SinkError",
    "StreamerError",
    "TransportError",
    "UntrustedHostError",
]
