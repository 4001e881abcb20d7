"""One record of results: the message a request gets, rendered piece by piece so that no size is too large."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from streamer.emulator.ids import mixed, token, unit
from streamer.emulator.prose import Prose

# Stands in a message for text that is filled in while the record is written. It cannot come from a request: the
# few strings that do are rid of it.
_GAP = "\ue000"

# What goes wrong with requests that are valid; the texts are the API's own kind.
FAILURES = (
    ("api_error", "Internal server error"),
    ("overloaded_error", "Overloaded"),
    ("invalid_request_error", "prompt is too long: 218947 tokens > 200000 maximum"),
    ("invalid_request_error", "Your credit balance is too low to access the API."),
    ("rate_limit_error", "This request would exceed the rate limit of your organization."),
    ("timeout_error", "Request timed out"),
    ("authentication_error", "invalid x-api-key"),
    ("billing_error", "There is a problem with the billing of your organization."),
    ("permission_error", "Your API key may not use this resource."),
)

_BYTES_PER_TOKEN = 4


class Ask(msgspec.Struct, array_like=True, frozen=True):
    """What an answer depends on; all that is kept of a request."""

    custom_id: str
    digest: int = 0  # of the params: other params, another answer
    model: str = "claude-opus-5-5"
    kind: str = "text"  # one of settings.CONTENT_KINDS
    input_tokens: int = 400
    cached_tokens: int = 0  # of these: written to the cache by the first requests, read from it by the others
    cache_ttl: str = "5m"
    max_tokens: int = 64_000
    stop_sequence: str | None = None
    tool: str = "search"
    fault: tuple[str, str] | None = None  # type and message of the error, for params that are not valid


@cache
def _prose(kind: str) -> Prose:
    return Prose("code" if kind == "code" else "text")


def bare_record(custom_id: str, kind: str) -> bytes:
    """A record of a type that has no other fields: canceled, expired."""
    return b'{"custom_id":"%b","result":{"type":"%b"}}' % (custom_id.encode(), kind.encode())


def errored_record(custom_id: str, kind: str, message: str) -> bytes:
    """A record of a request that failed; `error` is nested twice, as the API does."""
    inner = {"details": None, "type": kind, "message": message}
    error = {"type": "error", "error": inner, "request_id": None}
    return msgspec.json.encode({"custom_id": custom_id, "result": {"type": "errored", "error": error}})


def failure(seed: int) -> tuple[str, str]:
    """An error type and message for a valid request that fails all the same."""
    return FAILURES[mixed(seed) % len(FAILURES)]


def succeeded_record(ask: Ask, size: int, seed: int) -> Iterator[bytes]:
    """The pieces of a record about `size` bytes long; the same arguments give the same bytes."""
    tokens = max(1, size // _BYTES_PER_TOKEN)
    cut = tokens > ask.max_tokens
    tokens = min(tokens, ask.max_tokens)
    content, stop_reason = _content(ask, seed)
    if stop_reason == "end_turn" and (cut or ask.stop_sequence is not None):
        stop_reason = "max_tokens" if cut else "stop_sequence"
    message = {
        "id": message_id(ask, seed),
        "type": "message",
        "role": "assistant",
        "model": ask.model.replace(_GAP, ""),
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": (ask.stop_sequence or "").replace(_GAP, "") if stop_reason == "stop_sequence" else None,
        "stop_details": _REFUSED if stop_reason == "refusal" else None,
        "usage": _usage(ask, tokens, seed),
    }
    record = {"custom_id": ask.custom_id, "result": {"type": "succeeded", "message": message}}
    first, *others = msgspec.json.encode(record).split(_GAP.encode())
    yield first
    room = tokens * _BYTES_PER_TOKEN - (0 if cut else len(first) + sum(map(len, others)))
    for number, part in enumerate(others):
        yield from _prose(ask.kind).pieces(room // len(others), seed, number)
        yield part


def message_id(ask: Ask, seed: int) -> str:
    """The id of the message that answers a request."""
    return token("msg_", seed, ask.digest)


_REFUSED = {"type": "refusal", "category": "general_harms", "explanation": "This request cannot be helped with."}


def _content(ask: Ask, seed: int) -> tuple[list[dict[str, Any]], str]:
    """Content blocks and stop reason."""
    text = {"type": "text", "text": _GAP}
    if ask.kind == "thinking":
        thinking = {"type": "thinking", "thinking": _GAP, "signature": token("EqQBCkgIBxABGAIiQ", seed) * 6 + "=="}
        return [thinking, text], "end_turn"
    if ask.kind == "tool_use":
        call = {"query": _GAP, "limit": mixed(seed) % 50, "exact": mixed(seed) % 2 == 0, "filters": None}
        name = ask.tool.replace(_GAP, "")
        use = {"type": "tool_use", "id": token("toolu_", seed), "name": name, "input": call}
        return [{"type": "text", "text": "I'll look that up."}, use], "tool_use"
    if ask.kind == "server_tool":
        return [*_search(seed), text], "end_turn"
    if ask.kind == "refusal":
        return [], "refusal"
    return [text], "end_turn"


def _search(seed: int) -> list[dict[str, Any]]:
    """A web search made on the server, and what it found."""
    call = token("srvtoolu_", seed)
    found = {
        "type": "web_search_result",
        "url": f"https://example.org/{mixed(seed) % 10_000}",
        "title": "Les misérables – «Notes» & queries",
        "encrypted_content": token("EpcC", seed) * 8,
        "page_age": None,
    }
    return [
        {"type": "server_tool_use", "id": call, "name": "web_search", "input": {"query": "état de l'art"}},
        {"type": "web_search_tool_result", "tool_use_id": call, "content": [found]},
    ]


def _usage(ask: Ask, tokens: int, seed: int) -> dict[str, Any]:
    """Token counts that fit the message, the cache's included."""
    written = ask.cached_tokens if unit(seed) < 0.1 else 0
    thinking = tokens // 2 if ask.kind == "thinking" else 0
    long = ask.cache_ttl == "1h"
    return {
        "input_tokens": ask.input_tokens - ask.cached_tokens,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": ask.cached_tokens - written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if long else written,
            "ephemeral_1h_input_tokens": written if long else 0,
        },
        "output_tokens": tokens,
        "output_tokens_details": {"thinking_tokens": thinking},
        "server_tool_use": ({"web_search_requests": 1, "web_fetch_requests": 0} if ask.kind == "server_tool" else None),
        "service_tier": "batch",
        "inference_geo": "not_available",
    }
