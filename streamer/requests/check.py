"""One request, checked: everything the API would refuse the whole batch for, or surely the request.

A problem in a custom_id costs the whole batch, at once; one in the params costs its request, a day later, as an errored
record. What is looked for in params is what every request must have and what the Batches API documents as refused
(https://docs.claude.com/en/docs/build-with-claude/batch-processing); the rest is the API's to judge.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from streamer.requests.problems import shown
from streamer.requests.prompt import Params

CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REFUSED = ("speed", "store", "previous_thread_event_id", "cache_hint", "context_hint", "fallbacks")
_FOREIGN = ("custom_id", "params")  # which belong beside params


class Refused(Exception):  # noqa: N818 - it is no error of ours but the answer to the question
    """A request that cannot be sent.

    Attributes:
        reasons: all that is wrong with it.
        custom_id: the custom_id, when that at least is fine.
    """

    def __init__(self, reasons: list[str], custom_id: str | None = None) -> None:
        super().__init__(reasons)
        self.reasons = reasons
        self.custom_id = custom_id


class Checked(msgspec.Struct, gc=False):
    """A request that can be sent."""

    custom_id: str
    raw: bytes  # the params as JSON, as they were given but for white space
    params: Params


class _Request(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    custom_id: str
    params: msgspec.Raw


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_params = msgspec.json.Decoder(Params).decode


def check_request(text: bytes) -> Checked:
    """Check `{"custom_id": ..., "params": {...}}`.

    A key that stands twice counts with its last value, as with every reader of JSON.

    Raises:
        Refused: it cannot be sent.

    >>> check_request(b'{"custom_id":"a","params":{"model":"m","max_tokens":1,"messages":[]}}')
    Traceback (most recent call last):
    streamer.requests.check.Refused: ['params.messages is empty; it must have at least one message']
    """
    try:
        request = _decode_request(text)
    except (msgspec.ValidationError, UnicodeDecodeError):
        raise _refused_request(text) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused([not_json(error)]) from None
    if not CUSTOM_ID.fullmatch(request.custom_id):
        raise _refused_request(text)
    try:
        return check_params(request.custom_id, bytes(request.params))
    except Refused as refused:
        refused.custom_id = request.custom_id
        raise


def check_given(custom_id: str, text: bytes) -> Checked:
    """Check params and the custom_id that was given beside them.

    Raises:
        Refused: they cannot be sent.
    """
    fine = CUSTOM_ID.fullmatch(custom_id)
    reasons = [] if fine else [_wrong_id(custom_id)]
    try:
        checked = check_params(custom_id, text)
    except Refused as refused:
        raise Refused([*reasons, *refused.reasons], custom_id if fine else None) from None
    if reasons:
        raise Refused(reasons)
    return checked


def check_params(custom_id: str, text: bytes) -> Checked:
    """Check the params alone, e.g. `{"model": ..., "max_tokens": ..., "messages": [...]}`.

    Raises:
        Refused: they cannot be sent.
    """
    try:
        # What msgspec steps over it does not look at closely: Unicode only where it makes a string of it.
        if not text.isascii():
            text.decode()
        params = _decode_params(text)
        if b"\n" in text or b"\r" in text:
            text = msgspec.json.format(text, indent=-1)
    except UnicodeDecodeError as error:
        raise Refused([_not_utf8(error)]) from None
    except (msgspec.ValidationError, RecursionError) as error:
        raise _refused_params(text, error) from None
    except msgspec.DecodeError as error:
        raise Refused([not_json(error)]) from None
    if params.stream or params.research_preview_2026_02 or params.billing_policy:
        reasons = _forbidden(params)
        if reasons:
            raise Refused(reasons)
    return Checked(custom_id, text, params)


def not_json(error: Exception) -> str:
    """Why a text is no JSON, for people."""
    if isinstance(error, RecursionError):
        return "this cannot be read: it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return _not_utf8(error)
    return f"this is no JSON: {str(error).removeprefix('JSON is malformed: ')}"


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"this is no UTF-8: byte {error.object[error.start]:#04x} at position {error.start:,}"


def _forbidden(params: Params) -> list[str]:
    """What no type says of params that are refused in batches for a certain value."""
    reasons = []
    if params.stream:
        reasons.append("params.stream is true, which batches do not support; leave it out")
    if params.research_preview_2026_02 == "active":
        reasons.append("params.research_preview_2026_02 is active, which batches do not support; leave it out")
    policy = params.billing_policy
    if isinstance(policy, dict) and policy.get("bill_to") == "user_profile":
        reasons.append("params.billing_policy.bill_to is user_profile, which batches do not support; leave it out")
    return reasons


def _refused_request(text: bytes) -> Refused:
    """All reasons why a request that is JSON has not the right shape."""
    try:
        text.decode()
        request = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except UnicodeDecodeError as error:
        return Refused([_not_utf8(error)])
    except msgspec.ValidationError:
        return Refused(["a request is a JSON object with custom_id and params, and this is none"])
    except (msgspec.DecodeError, RecursionError) as error:
        return Refused([not_json(error)])
    reasons = [
        f"{shown(key)} does not belong in a request, which has custom_id and params only"
        for key in request
        if key not in ("custom_id", "params")
    ]
    custom_id = _custom_id(request.get("custom_id"), reasons)
    if "params" not in request:
        reasons.append("there are no params")
    else:
        try:
            check_params("", bytes(request["params"]))
        except Refused as refused:
            reasons += refused.reasons
    return Refused(reasons, custom_id)


def _custom_id(raw: msgspec.Raw | None, reasons: list[str]) -> str | None:
    if raw is None:
        reasons.append("there is no custom_id")
        return None
    try:
        value = msgspec.json.decode(raw, type=str)
    except (msgspec.ValidationError, RecursionError):
        reasons.append("the custom_id must be a string")
        return None
    if CUSTOM_ID.fullmatch(value):
        return value
    reasons.append(_wrong_id(value))
    return None


def _wrong_id(custom_id: str) -> str:
    return f"the custom_id {shown(custom_id)} is not 1 to 64 letters, digits, hyphens and underscores"


def _refused_params(text: bytes, error: Exception) -> Refused:
    """All reasons why params that are JSON have not the right shape; `error` says one of them."""
    if isinstance(error, RecursionError):
        return Refused([not_json(error)])
    try:
        given = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return Refused(["params must be a JSON object"])
    except (msgspec.DecodeError, RecursionError) as broken:
        return Refused([not_json(broken)])
    reasons: list[str] = []
    fine: dict[str, Any] = {"model": "", "max_tokens": 1, "messages": []}
    for field in msgspec.structs.fields(Params):
        name = field.name
        if name in given:
            try:
                fine[name] = _DECODERS[name].decode(given[name])
            except (msgspec.ValidationError, RecursionError) as wrong:
                reasons.append(_mistyped(name, given[name], str(wrong)))
        elif field.required:
            reasons.append(f"params.{name} is missing")
    reasons += _forbidden(Params(**fine))
    return Refused(reasons or [f"params cannot be read: {error}"])


_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    field.name: msgspec.json.Decoder(field.type) for field in msgspec.structs.fields(Params)
}


def _mistyped(name: str, value: msgspec.Raw, wrong: str) -> str:
    if name in _REFUSED:
        return f"params.{name} is not supported in batches; leave it out"
    if name in _FOREIGN:
        return f"{name} does not belong in params, but beside them"
    if name == "max_tokens" and bytes(value) == b"0":
        return "params.max_tokens is 0, which batches do not support; it must be at least 1"
    if name == "messages" and bytes(value).strip(b"[ \t\r\n]") == b"":
        return "params.messages is empty; it must have at least one message"
    what, _, where = wrong.partition(" - at `$")
    path = where.rstrip("`")
    return f"params.{name}{path} is wrong: {what[:1].lower()}{what[1:].replace('`', '')}"
