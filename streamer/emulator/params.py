"""The params of one request: what is wrong with them, and what the answer will depend on.

The API validates params after the batch was accepted: a bad request becomes an `errored` record, never an error of
the create. Which params batches allow, and what they refuse, is in the API's batch processing guide.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from streamer.emulator.recordbytes import Ask

# The body of the Messages API, as the official Python client 2.12.0 types it, betas included.
_NAMES = """
model max_tokens messages system metadata stop_sequences thinking tools tool_choice cache_control container diagnostics
inference_geo output_config service_tier speed stream temperature top_k top_p billing_policy compaction
context_management fallback_credit_token fallbacks mcp_servers output_format thread user_profile_id workspace_id betas
store previous_thread_event_id cache_hint context_hint research_preview_2026_02
"""
_KNOWN = frozenset(_NAMES.split())
_NOT_IN_BATCHES = ("speed", "store", "previous_thread_event_id", "cache_hint", "context_hint", "fallbacks", "thread")
_SAMPLING = ("temperature", "top_p", "top_k")  # gone from the API with version 2026-10-21
_MODEL = re.compile(r"(anthropic[./])?claude-[A-Za-z0-9_.:@-]+")


class Defect(NamedTuple):
    """Why a request fails."""

    type: str
    message: str
    forbidden: bool = False  # valid elsewhere, but not in a batch


class Headers(NamedTuple):
    """The headers of the create that params are judged by."""

    version: str
    user_profile: str | None


def _refuse(message: str) -> Defect:
    return Defect("invalid_request_error", message)


def defect(params: dict[str, Any], headers: Headers) -> Defect | None:
    """The first thing that is wrong with params; None when they are fine."""
    return (
        _missing(params)
        or _forbidden(params)
        or _of_version(params, headers.version)
        or _mistyped(params)
        or _profile(params, headers.user_profile)
        or _messages(params["messages"])
        or _thinking(params)
    )


def _missing(params: dict[str, Any]) -> Defect | None:
    for name in ("model", "max_tokens", "messages"):
        if name not in params:
            return _refuse(f"{name}: Field required")
    for name in params:
        if name not in _KNOWN:
            return _refuse(f"{name}: Extra inputs are not permitted")
    return None


def _forbidden(params: dict[str, Any]) -> Defect | None:
    name = next((name for name in _NOT_IN_BATCHES if params.get(name) is not None), None)
    if name is None and params.get("stream") is True:
        name = "stream"
    if name is None and params["max_tokens"] == 0:
        name = "max_tokens: 0"
    if name is None and params.get("research_preview_2026_02") == "active":
        name = "research_preview_2026_02"
    policy = params.get("billing_policy")
    if name is None and isinstance(policy, dict) and policy.get("bill_to") == "user_profile":
        name = "billing_policy.bill_to"
    if name is None:
        return None
    return Defect("invalid_request_error", f"{name} is not supported in batches", forbidden=True)


def _of_version(params: dict[str, Any], version: str) -> Defect | None:
    """What version 2026-10-21 took out of the Messages API."""
    if version == "2023-06-01":
        return None
    for name in _SAMPLING:
        if params.get(name) is not None:
            return _refuse(f"{name}: not supported with anthropic-version {version}")
    for at, role, block in _blocks(params["messages"]):
        if role == "assistant" and block.get("type") == "document":
            return _refuse(f"{at}: document blocks are not supported in assistant messages")
        if role == "user" and block.get("type") == "text" and block.get("citations"):
            return _refuse(f"{at}.citations: not supported in user messages")
    return None


def _blocks(messages: Any) -> Iterator[tuple[str, object, dict[str, Any]]]:
    """Where each content block is, whose message it is in, and the block; only what has the right shape."""
    for number, message in enumerate(messages if isinstance(messages, list) else []):
        content = message.get("content") if isinstance(message, dict) else None
        for place, block in enumerate(content if isinstance(content, list) else []):
            if isinstance(block, dict):
                yield f"messages.{number}.content.{place}", message.get("role"), block


def _mistyped(params: dict[str, Any]) -> Defect | None:
    model, most = params["model"], params["max_tokens"]
    if not isinstance(model, str):
        return _refuse("model: Input should be a valid string")
    if not _MODEL.fullmatch(model):
        return Defect("not_found_error", f"model: {model}")
    if isinstance(most, bool) or not isinstance(most, int):
        return _refuse("max_tokens: Input should be a valid integer")
    if most < 1:
        return _refuse("max_tokens: Input should be greater than or equal to 1")
    for name in ("tools", "stop_sequences"):
        if not isinstance(params.get(name, []), list):
            return _refuse(f"{name}: Input should be a valid list")
    return None


def _profile(params: dict[str, Any], header: str | None) -> Defect | None:
    own = params.get("user_profile_id")
    if header is not None and own is not None and own != header:
        return _refuse("user_profile_id: conflicts with the anthropic-user-profile-id header")
    return None


def _messages(messages: Any) -> Defect | None:
    if not isinstance(messages, list):
        return _refuse("messages: Input should be a valid list")
    if not messages:
        return _refuse("messages: at least one message is required")
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            return _refuse(f"messages.{number}: Input should be a valid dictionary")
        if message.get("role") not in ("user", "assistant", "system"):
            return _refuse(f"messages.{number}.role: Input should be 'user' or 'assistant'")
        content = message.get("content")
        if content is None:
            return _refuse(f"messages.{number}.content: Field required")
        if not isinstance(content, str | list):
            return _refuse(f"messages.{number}.content: Input should be a valid list")
        if content == "":
            return _refuse(f"messages.{number}: user messages must have non-empty content")
    return None


def _thinking(params: dict[str, Any]) -> Defect | None:
    thinking = params.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    if isinstance(budget, int) and budget >= params["max_tokens"]:
        return _refuse("`max_tokens` must be greater than `thinking.budget_tokens`")
    return None


def ask(custom_id: str, params: dict[str, Any], wrong: Defect | None) -> Ask:
    """All that is kept of a request: what its answer depends on."""
    if wrong is not None:
        return Ask(custom_id, fault=(wrong.type, wrong.message))
    body = msgspec.json.encode(params)
    tokens = max(1, len(body) // 4)
    kind, tool = _kind(params)
    stops = params.get("stop_sequences") or [None]
    return Ask(
        custom_id,
        digest=zlib.crc32(body),
        model=params["model"],
        kind=kind,
        input_tokens=tokens,
        cached_tokens=tokens * 3 // 4 if b'"cache_control"' in body else 0,
        cache_ttl="1h" if b'"ttl":"1h"' in body else "5m",
        max_tokens=params["max_tokens"],
        stop_sequence=stops[0] if isinstance(stops[0], str) else None,
        tool=tool,
    )


def _kind(params: dict[str, Any]) -> tuple[str, str]:
    """What the answer will hold, and the tool it calls: the first of the request's own tools, or the server's."""
    tools = [tool for tool in params.get("tools") or [] if isinstance(tool, dict)]
    choice = params.get("tool_choice")
    if tools and not (isinstance(choice, dict) and choice.get("type") == "none"):
        own = [str(tool.get("name", "tool")) for tool in tools if tool.get("type", "custom") == "custom"]
        return ("tool_use", own[0]) if own else ("server_tool", "")
    thinking = params.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive"):
        return "thinking", ""
    return "text", ""
