"""A record: one line of results, seen lazily."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from streamer.api.types import Result, ResultType
from streamer.errors import RecordError

# What is kept of every record until its batch is done with has a bound, or a hostile server could fill the memory with
# it: the API allows 64 characters in a custom_id, and its names are shorter.
CustomId = Annotated[str, msgspec.Meta(max_length=1024)]
Name = Annotated[str, msgspec.Meta(max_length=256)]
if TYPE_CHECKING:
    TypeName = ResultType
else:
    TypeName = Name


class HeadCacheCreation(msgspec.Struct, gc=False):
    """Tokens written to the prompt cache for an hour."""

    ephemeral_1h_input_tokens: int = 0


class HeadToolUse(msgspec.Struct, gc=False):
    """Calls of server-side tools."""

    web_search_requests: int = 0


class HeadOutputDetails(msgspec.Struct, gc=False):
    """What `output_tokens` is made of."""

    thinking_tokens: int = 0


class HeadUsage(msgspec.Struct, gc=False):
    """What is counted of a usage: `streamer.api.types.Usage` has the rest, which would cost time for nothing."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: HeadCacheCreation | None = None
    server_tool_use: HeadToolUse | None = None
    output_tokens_details: HeadOutputDetails | None = None
    inference_geo: Name | None = None


class HeadMessage(msgspec.Struct, gc=False):
    """What accounting needs of a message; everything else is skipped unparsed."""

    model: Name = ""
    usage: HeadUsage | None = None


class HeadErrorDetail(msgspec.Struct, gc=False):
    """The inner error of an errored result."""

    type: Name = ""
    message: object = ""  # text, where it is the API's; whatever else it may be is no fault of the record


class HeadError(msgspec.Struct, gc=False):
    """The outer error of an errored result."""

    error: HeadErrorDetail | None = None


class HeadResult(msgspec.Struct, gc=False):
    """What accounting needs of a result."""

    type: TypeName
    message: HeadMessage | None = None
    error: HeadError | None = None


class Head(msgspec.Struct, gc=False):
    """What must be known of every record: who it answers, its type, what it used."""

    custom_id: CustomId
    result: HeadResult


class _Minimal(msgspec.Struct, gc=False):
    """What makes a record a record."""

    class Typed(msgspec.Struct, gc=False):
        type: TypeName

    custom_id: CustomId
    result: Typed

    def head(self) -> Head:
        return Head(self.custom_id, HeadResult(self.result.type))


class _Whole(msgspec.Struct, gc=False):
    """A record typed as a whole."""

    custom_id: str
    result: Result


HEAD = msgspec.json.Decoder(Head)
_WHOLE = msgspec.json.Decoder(_Whole)
_MINIMAL = msgspec.json.Decoder(_Minimal)


class Record(msgspec.Struct, eq=False, gc=False):
    """One record, decoded no further than it is asked for.

    Attributes:
        batch_id: the batch it belongs to.
        custom_id: the id that the request was given.
        type: `succeeded`, `errored`, `canceled`, `expired`, or a type not known yet: see `ResultType`.
        raw: the bytes as they came, without their newline.

    >>> from streamer.results.block import read_lines
    >>> from streamer.results.framing import Lines
    >>> block, rejects = read_lines("msgbatch_1", Lines(0, b'{"custom_id":"a","result":{"type":"expired"}}'))
    >>> [record] = block.records()
    >>> record.custom_id, record.type, record.result.message
    ('a', 'expired', None)
    """

    batch_id: str
    custom_id: str
    type: ResultType
    raw: bytes
    _result: Result | None = None

    @property
    def result(self) -> Result:
        """The result, typed.

        Raises:
            RecordError: the result is JSON, but not of the API's shape.
        """
        if self._result is None:
            try:
                self._result = _WHOLE.decode(self.raw).result
            except (ValueError, RecursionError) as exc:
                self._result = self._decode_loosely(str(exc))
        return self._result

    def _decode_loosely(self, reason: str) -> Result:
        try:
            return msgspec.convert(lenient_loads(self.raw), _Whole).result
        except (ValueError, RecursionError):
            raise RecordError(
                f"the result of request {self.custom_id!r} in batch {self.batch_id} is not of the API's shape: "
                f"{reason}; its bytes are in `raw`"
            ) from None

    def __repr__(self) -> str:
        return f"<Record {self.custom_id} {self.type}, {len(self.raw):,} bytes, of {self.batch_id}>"


def lenient_loads(raw: bytes) -> Any:
    r"""Decode the JSON that msgspec refuses and others write: lone surrogates (``\ud800``), ``NaN``, ``Infinity``.

    An integer of 20 digits or more becomes a float: a model writes those, and Python refuses them above 4,300 digits.

    Raises:
        ValueError: `raw` is not JSON even so, or not UTF-8.
        RecursionError: it is nested too deeply, at about 1,000 levels or more.
    """
    return json.loads(raw.decode(), parse_int=lambda digits: int(digits) if len(digits) < 20 else float(digits))


def read_head(raw: bytes) -> Head:
    """The head of one record, whatever else is in it.

    Raises:
        ValueError: it is no record.
        RecursionError: it is nested too deeply.
    """
    try:
        return HEAD.decode(raw)
    except (ValueError, RecursionError):
        pass  # a usage or an error of an odd shape, or JSON that msgspec does not take, or no record
    try:
        return _MINIMAL.decode(raw).head()
    except msgspec.ValidationError:
        raise
    except (ValueError, RecursionError):
        return head_of(lenient_loads(raw))


def head_of(record: Any) -> Head:
    """The head of a record that was decoded into dicts.

    Raises:
        ValueError: it is no record.
    """
    try:
        return _encodable(msgspec.convert(record, Head))
    except ValueError:
        return _encodable(msgspec.convert(record, _Minimal).head())


def _encodable(head: Head) -> Head:
    """`head`, unless it holds a lone surrogate: that could be neither compared with other ids nor written."""
    msgspec.json.encode(head)
    return head
