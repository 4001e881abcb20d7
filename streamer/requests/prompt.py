"""What is looked into of a request's params, decoded once for all who look.

Strings stay as the JSON they are: a prompt of 250 MB is not copied to be measured.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Raw

from streamer.requests.imagesize import image_tokens
from streamer.requests.jsontext import pieces

NULL = Raw(b"null")
TEXT_BYTES_PER_TOKEN = 4  # of English prose; code and other scripts have fewer, so this is an estimate and no more

_QUOTE, _BRACKET = b'"['
_BLANK = re.compile(rb'"(?: |\\[nrtfb]|\\u(?:0020|00[aA]0|3000|200[bB]|[fF][eE][fF][fF])|\xc2\xa0|\xe3\x80\x80)*"')
_OF_TWO_BYTES = re.compile(rb"\\u0[0-7]")
_LONGEST_BLANK = 1 << 10  # bytes: what is longer is taken to hold something


class PromptMessage(msgspec.Struct, gc=False):
    """One message of a conversation."""

    role: str
    content: Raw  # a string, or a list of blocks


class Params(msgspec.Struct, gc=False):
    """The params of a request: what must be there, what must not, and what its prompt is made of.

    What is not named here is sent as it is: the API knows more params than this library, and judges their values
    itself when it comes to the request.
    """

    model: Annotated[str, msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=1)]
    messages: Annotated[list[PromptMessage], msgspec.Meta(min_length=1)]
    system: Raw = NULL  # a string, or a list of blocks
    tools: list[Raw] | None = None
    cache_control: Raw = NULL
    # What a batch refuses, and what does not belong here, decodes as null alone: looking at each would take time.
    speed: None = None
    store: None = None
    previous_thread_event_id: None = None
    cache_hint: None = None
    context_hint: None = None
    fallbacks: None = None
    betas: None = None
    extra_headers: None = None
    extra_query: None = None
    extra_body: None = None
    timeout: None = None
    anthropic_version: None = None
    anthropic_beta: None = None
    custom_id: None = None
    params: None = None
    stream: bool | None = None
    research_preview_2026_02: Any = None
    billing_policy: Any = None


class Source(msgspec.Struct, gc=False):
    """Where a document or an image is."""

    type: str = ""
    data: Raw = NULL
    content: Raw = NULL


class PromptBlock(msgspec.Struct, gc=False):
    """One block of content."""

    type: str = ""
    text: Raw = NULL
    source: Source | None = None
    content: Raw = NULL
    cache_control: Raw = NULL


class PromptSize(msgspec.Struct):
    """About how large a prompt is, added up part by part.

    Attributes:
        text_bytes: of its text; an image counts for as many as cost the same.
        unsized: images and documents whose size the request does not tell: they are not in `text_bytes`.
        empty: strings with nothing in them where the API wants something.
    """

    text_bytes: int = 0
    unsized: int = 0
    empty: int = 0

    def add(self, content: Raw) -> None:
        """A system prompt, or the content of a message: a string, or blocks.

        >>> size = PromptSize()
        >>> size.add(Raw(b'[{"type":"text","text":"hello"}]'))
        >>> size.text_bytes
        5
        """
        if is_string(content):
            self.text_bytes += string_bytes(content)
            self.empty += is_blank(content)
            return
        blocks = _blocks(content)
        self.empty += not blocks
        for block in blocks:
            self.add_block(block)

    def add_block(self, raw: Raw) -> None:
        """One block of content."""
        try:
            block = _block(raw)
            if is_set(block.text):
                self.text_bytes += string_bytes(block.text)
                self.empty += block.type == "text" and is_blank(block.text)
            elif block.source is not None:
                self._add_source(block.type, block.source)
            elif block.type == "tool_result" and is_set(block.content):
                inner = PromptSize()  # an empty answer of a tool is one
                inner.add(block.content)
                self.text_bytes += inner.text_bytes
                self.unsized += inner.unsized
            else:  # e.g. a tool's call: its JSON is what the model reads
                self.text_bytes += len(memoryview(raw))
        except (msgspec.ValidationError, RecursionError):
            self.text_bytes += len(memoryview(raw))

    def _add_source(self, kind: str, source: Source) -> None:
        if source.type == "text" and is_set(source.data):
            self.text_bytes += string_bytes(source.data)
        elif source.type == "content" and is_set(source.content):
            self.add(source.content)
        else:
            tokens = image_tokens(source.data) if kind == "image" and source.type == "base64" else None
            self.unsized += tokens is None
            self.text_bytes += TEXT_BYTES_PER_TOKEN * (tokens or 0)


def content_is_mistyped(params: Params) -> list[str]:
    """What is neither a string nor a list where it has to be one."""
    wrong = [
        f"params.messages[{number}].content is wrong: {_mistyped(message.content)}"
        for number, message in enumerate(params.messages)
        if not _is_content(message.content)
    ]
    if is_set(params.system) and not _is_content(params.system):
        wrong.append(f"params.system is wrong: {_mistyped(params.system)}")
    return wrong


def is_set(value: Raw) -> bool:
    """Whether a param is there and is not null."""
    return value is not NULL and bytes(memoryview(value)[:4]) != b"null"


def is_string(content: Raw) -> bool:
    """Whether some content is a string; else it is a list of blocks."""
    return memoryview(content)[0] == _QUOTE


def is_blank(string: Raw) -> bool:
    """Whether a string has nothing in it but white space."""
    view = memoryview(string)
    return len(view) <= _LONGEST_BLANK and _BLANK.fullmatch(view) is not None


def string_bytes(string: Raw) -> int:
    r"""About how many bytes of text a string holds.

    >>> string_bytes(Raw(rb'"a\nb \u00e9"'))
    6
    """
    size = len(memoryview(string)) - 2
    for piece in pieces(memoryview(string)):
        if escapes := piece.count(b"\\"):
            size -= escapes + 2 * piece.count(b"\\u") + len(_OF_TWO_BYTES.findall(piece))
    return max(size, 0)


def is_marked(raw: Raw) -> bool:
    """Whether a block asks for a cache breakpoint."""
    if b"cache_control" not in bytes(raw):
        return False
    try:
        return is_set(_block(raw).cache_control)
    except (msgspec.ValidationError, RecursionError):
        return True


def blocks_of(content: Raw) -> list[Raw]:
    """The blocks of some content that is no string."""
    return _blocks(content)


def _is_content(value: Raw) -> bool:
    return memoryview(value)[0] in (_QUOTE, _BRACKET)


def _mistyped(value: Raw) -> str:
    try:
        msgspec.json.decode(value, type=str | list[Raw])
    except msgspec.ValidationError as wrong:
        text = str(wrong).replace("`", "")
        return text[:1].lower() + text[1:]
    return ""


_block = msgspec.json.Decoder(PromptBlock).decode
_blocks = msgspec.json.Decoder(list[Raw]).decode
