"""A record: one line of results, seen lazily."""

from __future__ import annotations

from functools import cached_property

import msgspec

from streamer.api.errors import RecordError
from streamer.api.types import Result, Usage


class HeadMessage(msgspec.Struct, gc=False):
    """What accounting needs of a message; everything else is skipped unparsed."""

    model: str = ""
    usage: Usage | None = None


class HeadErrorDetail(msgspec.Struct, gc=False):
    """The inner error of an errored result."""

    type: str = ""


class HeadError(msgspec.Struct, gc=False):
    """The outer error of an errored result."""

    error: HeadErrorDetail | None = None


class HeadResult(msgspec.Struct, gc=False):
    """What accounting needs of a result."""

    type: str
    message: HeadMessage | None = None
    error: HeadError | None = None


class Head(msgspec.Struct, gc=False):
    """What must be known of every record: who it answers, its type, what it used."""

    custom_id: str
    result: HeadResult


class Record:
    """One record, decoded no further than it is asked for.

    `custom_id` and `type` cost nothing; `result` decodes on first use; `raw` is the bytes as they came.

    >>> from streamer.results.framing import frame
    >>> [block] = frame("msgbatch_1", b'{"custom_id":"a","result":{"type":"expired"}}')
    >>> [record] = block.records()
    >>> record.custom_id, record.type, record.result.message
    ('a', 'expired', None)
    """

    def __init__(self, batch_id: str, head: Head, raw: bytes) -> None:
        self.batch_id = batch_id
        self.head = head
        self.raw = raw

    @property
    def custom_id(self) -> str:
        """The id that the request was given."""
        return self.head.custom_id

    @property
    def type(self) -> str:
        """`succeeded`, `errored`, `canceled`, `expired`, or a type not known yet."""
        return self.head.result.type

    @cached_property
    def result(self) -> Result:
        """The result, typed.

        Raises:
            RecordError: the result is JSON, but not of the API's shape.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<Record {self.custom_id} {self.type}, {len(self.raw):,} bytes, of {self.batch_id}>"
