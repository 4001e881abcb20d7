"""Watch many Message Batches at once and stream every result, record by record, into sinks.

>>> import streamer
>>> async def main() -> None:
...     async with streamer.Client() as client:
...         report = await streamer.run(client, ["msgbatch_01..."], streamer.FileSink("results/{batch_id}.jsonl"))
...         print(report.records, report.complete)

Nothing here configures logging, installs a signal handler or chooses an event loop: those belong to the program.
A name is imported when it is first used, so that importing the package costs next to nothing.
"""

from importlib import import_module
from logging import NullHandler, getLogger
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.answers.resubmission import Resubmission as Resubmission
    from streamer.api import ApiError as ApiError
    from streamer.api import AuthenticationError as AuthenticationError
    from streamer.api import Batch as Batch
    from streamer.api import BatchPage as BatchPage
    from streamer.api import Client as Client
    from streamer.api import ConfigurationError as ConfigurationError
    from streamer.api import DeletedBatch as DeletedBatch
    from streamer.api import IncompleteError as IncompleteError
    from streamer.api import NotFoundError as NotFoundError
    from streamer.api import NotResultsError as NotResultsError
    from streamer.api import OutcomeUnknownError as OutcomeUnknownError
    from streamer.api import RateLimitError as RateLimitError
    from streamer.api import RecordError as RecordError
    from streamer.api import RequestCounts as RequestCounts
    from streamer.api import ResultsError as ResultsError
    from streamer.api import RetryPolicy as RetryPolicy
    from streamer.api import SinkError as SinkError
    from streamer.api import StreamerError as StreamerError
    from streamer.api import SubmissionError as SubmissionError
    from streamer.api import Timeouts as Timeouts
    from streamer.api import TransportError as TransportError
    from streamer.api import UntrustedHostError as UntrustedHostError
    from streamer.pipeline import run as run
    from streamer.pricing import Cost as Cost
    from streamer.pricing import CostLine as CostLine
    from streamer.pricing import Prices as Prices
    from streamer.processing import process as process
    from streamer.records import Records as Records
    from streamer.records import stream as stream
    from streamer.report import BatchReport as BatchReport
    from streamer.report import Observer as Observer
    from streamer.report import Outcome as Outcome
    from streamer.report import ProcessObserver as ProcessObserver
    from streamer.report import ProcessReport as ProcessReport
    from streamer.report import RunReport as RunReport
    from streamer.requests import Fault as Fault
    from streamer.requests import FaultsError as FaultsError
    from streamer.requests import Spool as Spool
    from streamer.results.accounting import Tally as Tally
    from streamer.results.accounting import Tokens as Tokens
    from streamer.results.block import Block as Block
    from streamer.results.record import Record as Record
    from streamer.sinks import CallbackSink as CallbackSink
    from streamer.sinks import CheckpointedSink as CheckpointedSink
    from streamer.sinks import FileSink as FileSink
    from streamer.sinks import PartWriter as PartWriter
    from streamer.sinks import QueueSink as QueueSink
    from streamer.sinks import Sink as Sink
    from streamer.sinks import StdoutSink as StdoutSink
    from streamer.sinks import Writer as Writer
    from streamer.sinks import sink_for as sink_for
    from streamer.step import Step as Step
    from streamer.step import Work as Work
    from streamer.submission.ledger import Planned as Planned
    from streamer.submission.settling import Unsettled as Unsettled
    from streamer.submitting import SubmitObserver as SubmitObserver
    from streamer.submitting import submit as submit
    from streamer.watching.roster import Ended as Ended
    from streamer.watching.roster import Lost as Lost

getLogger("streamer").addHandler(NullHandler())

_HOMES = {
    "streamer.answers.resubmission": ("Resubmission",),
    "streamer.pipeline": ("run",),
    "streamer.pricing": ("Cost", "CostLine", "Prices"),
    "streamer.processing": ("process",),
    "streamer.records": ("Records", "stream"),
    "streamer.report": ("BatchReport", "Observer", "Outcome", "ProcessObserver", "ProcessReport", "RunReport"),
    "streamer.requests": ("Fault", "FaultsError", "Spool"),
    "streamer.results.accounting": ("Tally", "Tokens"),
    "streamer.results.block": ("Block",),
    "streamer.results.record": ("Record",),
    "streamer.sinks": (
        "CallbackSink",
        "CheckpointedSink",
        "FileSink",
        "PartWriter",
        "QueueSink",
        "Sink",
        "StdoutSink",
        "Writer",
        "sink_for",
    ),
    "streamer.step": ("Step", "Work"),
    "streamer.submission.ledger": ("Planned",),
    "streamer.submission.settling": ("Unsettled",),
    "streamer.submitting": ("SubmitObserver", "submit"),
    "streamer.watching.roster": ("Ended", "Lost"),
    "streamer.api": (
        "ApiError",
        "AuthenticationError",
        "Batch",
        "BatchPage",
        "Client",
        "ConfigurationError",
        "DeletedBatch",
        "IncompleteError",
        "NotFoundError",
        "NotResultsError",
        "OutcomeUnknownError",
        "RateLimitError",
        "RecordError",
        "RequestCounts",
        "ResultsError",
        "RetryPolicy",
        "SinkError",
        "StreamerError",
        "SubmissionError",
        "Timeouts",
        "TransportError",
        "UntrustedHostError",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the names are a few lines up


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'streamer' has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
