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
    from streamer.api.client import Client as Client
    from streamer.api.options import ClientOptions as ClientOptions
    from streamer.api.retry import RetryPolicy as RetryPolicy
    from streamer.api.transport import Timeouts as Timeouts
    from streamer.api.types import Batch as Batch
    from streamer.api.types import BatchPage as BatchPage
    from streamer.api.types import DeletedBatch as DeletedBatch
    from streamer.api.types import RequestCounts as RequestCounts
    from streamer.api.types import ResultType as ResultType
    from streamer.errors import ApiError as ApiError
    from streamer.errors import AuthenticationError as AuthenticationError
    from streamer.errors import ConfigurationError as ConfigurationError
    from streamer.errors import GatewayError as GatewayError
    from streamer.errors import IncompleteError as IncompleteError
    from streamer.errors import InUseError as InUseError
    from streamer.errors import NotFoundError as NotFoundError
    from streamer.errors import NotResultsError as NotResultsError
    from streamer.errors import OutcomeUnknownError as OutcomeUnknownError
    from streamer.errors import RateLimitError as RateLimitError
    from streamer.errors import RecordError as RecordError
    from streamer.errors import ResultsError as ResultsError
    from streamer.errors import SinkError as SinkError
    from streamer.errors import StorageError as StorageError
    from streamer.errors import StreamerError as StreamerError
    from streamer.errors import SubmissionError as SubmissionError
    from streamer.errors import TransportError as TransportError
    from streamer.errors import UntrustedHostError as UntrustedHostError
    from streamer.observer import Observer as Observer
    from streamer.observer import ProcessObserver as ProcessObserver
    from streamer.observer import SubmitObserver as SubmitObserver
    from streamer.pricing import Cost as Cost
    from streamer.pricing import CostLine as CostLine
    from streamer.pricing import Prices as Prices
    from streamer.progress import Progress as Progress
    from streamer.progress import Work as Work
    from streamer.project.options import ProcessOptions as ProcessOptions
    from streamer.project.options import SubmitOptions as SubmitOptions
    from streamer.project.process import process as process
    from streamer.project.status import BatchStatus as BatchStatus
    from streamer.project.status import ProjectStatus as ProjectStatus
    from streamer.project.status import status as status
    from streamer.project.submit import submit as submit
    from streamer.report import BatchReport as BatchReport
    from streamer.report import Outcome as Outcome
    from streamer.report import ProcessReport as ProcessReport
    from streamer.report import RunReport as RunReport
    from streamer.requests.problems import InvalidRequestsError as InvalidRequestsError
    from streamer.requests.problems import Problem as Problem
    from streamer.requests.spool import Spool as Spool
    from streamer.results.accounting import Tally as Tally
    from streamer.results.accounting import Tokens as Tokens
    from streamer.results.block import Block as Block
    from streamer.results.record import Record as Record
    from streamer.runs.options import RunOptions as RunOptions
    from streamer.runs.run import run as run
    from streamer.runs.stream import Records as Records
    from streamer.runs.stream import stream as stream
    from streamer.sinks.base import PartWriter as PartWriter
    from streamer.sinks.base import Sink as Sink
    from streamer.sinks.base import Writer as Writer
    from streamer.sinks.callback import CallbackSink as CallbackSink
    from streamer.sinks.checkpoint import CheckpointedSink as CheckpointedSink
    from streamer.sinks.file import FileSink as FileSink
    from streamer.sinks.queue import QueueSink as QueueSink
    from streamer.sinks.stdout import StdoutSink as StdoutSink
    from streamer.sinks.targets import sink_for as sink_for
    from streamer.submission.recovery import Unsettled as Unsettled
    from streamer.watching.roster import Ended as Ended
    from streamer.watching.roster import Lost as Lost

getLogger("streamer").addHandler(NullHandler())

_HOMES = {
    "streamer.answers.resubmission": ("Resubmission",),
    "streamer.api.client": ("Client",),
    "streamer.api.retry": ("RetryPolicy",),
    "streamer.api.transport": ("Timeouts",),
    "streamer.api.types": (
        "Batch",
        "BatchPage",
        "DeletedBatch",
        "RequestCounts",
        "ResultType",
    ),
    "streamer.errors": (
        "ApiError",
        "AuthenticationError",
        "ConfigurationError",
        "GatewayError",
        "IncompleteError",
        "InUseError",
        "NotFoundError",
        "NotResultsError",
        "OutcomeUnknownError",
        "RateLimitError",
        "RecordError",
        "ResultsError",
        "SinkError",
        "StorageError",
        "StreamerError",
        "SubmissionError",
        "TransportError",
        "UntrustedHostError",
    ),
    "streamer.observer": (
        "Observer",
        "ProcessObserver",
        "SubmitObserver",
    ),
    "streamer.api.options": ("ClientOptions",),
    "streamer.project.options": (
        "ProcessOptions",
        "SubmitOptions",
    ),
    "streamer.runs.options": ("RunOptions",),
    "streamer.pricing": (
        "Cost",
        "CostLine",
        "Prices",
    ),
    "streamer.progress": (
        "Progress",
        "Work",
    ),
    "streamer.project.process": ("process",),
    "streamer.project.submit": ("submit",),
    "streamer.project.status": (
        "BatchStatus",
        "ProjectStatus",
        "status",
    ),
    "streamer.report": (
        "BatchReport",
        "Outcome",
        "ProcessReport",
        "RunReport",
    ),
    "streamer.requests.problems": (
        "InvalidRequestsError",
        "Problem",
    ),
    "streamer.requests.spool": ("Spool",),
    "streamer.results.accounting": (
        "Tally",
        "Tokens",
    ),
    "streamer.results.block": ("Block",),
    "streamer.results.record": ("Record",),
    "streamer.runs.run": ("run",),
    "streamer.runs.stream": (
        "Records",
        "stream",
    ),
    "streamer.sinks.base": (
        "PartWriter",
        "Sink",
        "Writer",
    ),
    "streamer.sinks.callback": ("CallbackSink",),
    "streamer.sinks.checkpoint": ("CheckpointedSink",),
    "streamer.sinks.file": ("FileSink",),
    "streamer.sinks.queue": ("QueueSink",),
    "streamer.sinks.stdout": ("StdoutSink",),
    "streamer.sinks.targets": ("sink_for",),
    "streamer.submission.recovery": ("Unsettled",),
    "streamer.watching.roster": (
        "Ended",
        "Lost",
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
    return list(__all__)
