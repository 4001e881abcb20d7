"""What is looked into of a request's params, decoded once for all who look."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Raw

NULL = Raw(b"null")


class PromptMessage(msgspec.Struct, gc=False):
    """One message of a conversation."""

    role: str
    content: str | list[Raw]


class Params(msgspec.Struct, gc=False):
    """The params of a request: what must be there, what must not, and what its prompt is made of.

    What is not named here is sent as it is: the API knows more params than this library, and judges their values
    itself when it comes to the request.
    """

    model: Annotated[str, msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=1)]
    messages: Annotated[list[PromptMessage], msgspec.Meta(min_length=1)]
    system: str | list[Raw] | None = None
    tools: list[Raw] | None = None
    cache_control: Raw = NULL
    # What a batch refuses, and what does not belong here, decodes as null alone: looking at each would take time.
    speed: None = None
    store: None = None
    previous_thread_event_id: None = None
    cache_hint: None = None
    context_hint: None = None
    fallbacks: None = None
    custom_id: None = None
    params: None = None
    stream: bool | None = None
    research_preview_2026_02: Any = None
    billing_policy: Any = None


class Source(msgspec.Struct, gc=False):
    """Where a document or an image is."""

    type: str = ""
    data: str | None = None
    content: str | list[Raw] | None = None


class PromptBlock(msgspec.Struct, gc=False):
    """One block of content."""

    type: str = ""
    text: str | None = None
    source: Source | None = None
    cache_control: Raw = NULL


def is_set(value: Raw) -> bool:
    """Whether a param is there and is not null."""
    return value is not NULL and bytes(value) != b"null"


def text_bytes(content: str | list[Raw]) -> int:
    """About how many bytes of text a system prompt or the content of a message holds; images and files count as none.

    >>> text_bytes([Raw(b'{"type":"text","text":"hello"}')])
    5
    """
    if isinstance(content, str):
        return len(content) if content.isascii() else len(content.encode())
    return sum(map(block_text_bytes, content))


def block_text_bytes(raw: Raw) -> int:
    """The same of one block of content."""
    try:
        block = _block(raw)
    except (msgspec.ValidationError, RecursionError):
        return len(bytes(raw))
    if block.text is not None:
        return text_bytes(block.text)
    if block.source is None:
        # A tool's call or its answer: its JSON is what the model reads, except for an image within.
        text = bytes(raw)
        return 0 if b'"base64"' in text else len(text)
    if block.source.type == "text":
        return text_bytes(block.source.data or "")
    return text_bytes(block.source.content or "")


def is_marked(raw: Raw) -> bool:
    """Whether a block asks for a cache breakpoint."""
    if b"cache_control" not in bytes(raw):
        return False
    try:
        return is_set(_block(raw).cache_control)
    except (msgspec.ValidationError, RecursionError):
        return True


_block = msgspec.json.Decoder(PromptBlock).decode
