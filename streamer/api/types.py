"""The objects of the Message Batches API, as msgspec structs.

They tolerate what the API reserves the right to do, and what servers that imitate it do: unknown fields are
skipped, unknown values of an enum stay plain strings, and a nullable key may be missing. What else a server may claim
is decided in `decoding`.
Shapes as in the official Python client 2.12.0 and recorded traffic of 2025.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

ENDED = "ended"  # the one processing_status that means: every record is final
PAGE_LIMIT = 1000  # batches in one answer of the list endpoint, at most
TIMES = ("created_at", "expires_at", "ended_at", "cancel_initiated_at", "archived_at")  # of a batch

#: What became of a request. These are the types known so far, and a type checker finds any other word, "cancelled"
#: say. One that the API adds comes as it is all the same, and nothing here refuses it: give a `match` a `case _`.
ResultType = Literal["succeeded", "errored", "canceled", "expired"]
RESULT_TYPES: tuple[ResultType, ...] = get_args(ResultType)  # in the API's order

if TYPE_CHECKING:
    _AsItCame = ResultType
else:
    _AsItCame = str


class RequestCounts(msgspec.Struct, frozen=True, omit_defaults=False):
    """How many requests of a batch stand where. Until the batch has ended they all stand in `processing`."""

    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """All requests of the batch."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class Batch(msgspec.Struct, frozen=True):
    """One Message Batch.

    `processing_status` is `in_progress`, `canceling` or `ended`, or a value not known yet. Gate on `ended` alone:
    some servers fill `results_url` earlier. A time that came without a zone is taken for UTC.
    """

    id: str
    processing_status: str
    request_counts: RequestCounts | None = None  # None: the server gave none that can be true, which proves nothing
    created_at: datetime | None = None
    expires_at: datetime | None = None  # created_at + 24 h: what has not been processed then becomes `expired`
    ended_at: datetime | None = None
    cancel_initiated_at: datetime | None = None
    archived_at: datetime | None = None  # set when the results are gone (29 days after created_at)
    results_url: str | None = None
    type: str = "message_batch"

    def __post_init__(self) -> None:
        for name in TIMES:
            time: datetime | None = getattr(self, name)
            if time is not None and time.tzinfo is None:
                msgspec.structs.force_setattr(self, name, time.replace(tzinfo=UTC))

    @property
    def ended(self) -> bool:
        """Whether every record of the batch is final."""
        return self.processing_status == ENDED

    @property
    def requests(self) -> int | None:
        """How many requests it has; None where the server does not say."""
        return None if self.request_counts is None else self.request_counts.total


class Undecodable(msgspec.Struct, frozen=True):
    """An item of a list page that cannot be read as a batch."""

    id: str  # as far as it can be told, else empty
    reason: str


class BatchPage(msgspec.Struct, frozen=True):
    """One answer of the list endpoint, newest batch first."""

    data: list[Batch]
    has_more: bool = False  # in the direction asked for
    first_id: str | None = None  # the next `before_id`
    last_id: str | None = None  # the next `after_id`
    undecodable: list[Undecodable] = []  # what else is on the page; each costs only itself


class DeletedBatch(msgspec.Struct, frozen=True):
    """The answer to a delete."""

    id: str
    type: str = "message_batch_deleted"


class CacheCreation(msgspec.Struct, frozen=True):
    """Tokens written to the prompt cache, by time to live."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class ServerToolUse(msgspec.Struct, frozen=True):
    """Calls of server-side tools."""

    web_search_requests: int = 0
    web_fetch_requests: int = 0


class OutputTokensDetails(msgspec.Struct, frozen=True):
    """What `output_tokens` is made of."""

    thinking_tokens: int = 0


class Usage(msgspec.Struct, frozen=True):
    """What one request used; all counts are tokens."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    server_tool_use: ServerToolUse | None = None
    output_tokens_details: OutputTokensDetails | None = None
    service_tier: str | None = None
    inference_geo: str | None = None


class ContentBlock(msgspec.Struct, frozen=True, omit_defaults=True):
    """One block of a message's content, of any type: the fields that its type does not have are None.

    A type not known here keeps its `type` and the fields named alike; `Record.raw` has the whole.
    """

    type: str
    text: str | None = None  # text
    citations: list[Any] | None = None  # text
    thinking: str | None = None  # thinking
    signature: str | None = None  # thinking
    data: str | None = None  # redacted_thinking
    id: str | None = None  # tool_use, server_tool_use
    name: str | None = None  # tool_use, server_tool_use
    input: Any = None  # tool_use, server_tool_use: written by the model
    tool_use_id: str | None = None  # ..._tool_result
    content: Any = None  # ..._tool_result


class Message(msgspec.Struct, frozen=True):
    """The model's answer in a succeeded result."""

    id: str = ""
    model: str = ""
    role: str = "assistant"
    content: list[ContentBlock] = []
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    container: dict[str, Any] | None = None
    usage: Usage = Usage()
    type: str = "message"

    @property
    def text(self) -> str:
        """The text of all text blocks, joined."""
        return "".join(block.text for block in self.content if block.type == "text" and block.text)


class ErrorDetail(msgspec.Struct, frozen=True):
    """What went wrong, in the API's words."""

    type: str = ""
    message: str = ""
    details: dict[str, Any] | None = None


class ErrorResponse(msgspec.Struct, frozen=True):
    """The API's error object, as an error body and inside an errored result."""

    error: ErrorDetail = ErrorDetail()
    request_id: str | None = None
    type: str = "error"


class Result(msgspec.Struct, frozen=True):
    """What became of one request.

    `type` is `succeeded` (then `message` is set), `errored` (then `error` is), `canceled`, `expired`, or a type
    not known yet: see `ResultType`.
    """

    type: _AsItCame
    message: Message | None = None
    error: ErrorResponse | None = None
