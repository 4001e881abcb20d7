"""Sinks: where the records of batches go."""

from streamer.sinks.base import PartWriter, Sink, Writer
from streamer.sinks.callback import CallbackSink
from streamer.sinks.checkpoint import CheckpointedSink
from streamer.sinks.file import FileSink
from streamer.sinks.queue import QueueSink
from streamer.sinks.stdout import StdoutSink
from streamer.sinks.targets import sink_for

__all__ = [
    "CallbackSink",
    "CheckpointedSink",
    "FileSink",
    "PartWriter",
    "QueueSink",
    "Sink",
    "StdoutSink",
    "Writer",
    "sink_for",
]
