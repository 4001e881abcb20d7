"""One request, checked: everything the API would refuse the whole batch for, or surely the request.

A problem in a custom_id costs the whole batch, at once; one in the params costs its request, a day later, as an errored
record. What is looked for in params is what every request must have and what the Batches API documents as refused
(https://docs.claude.com/en/docs/build-with-claude/batch-processing); the rest is the API's to judge.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from streamer.requests.jsontext import (
    PIECE,
    Text,
    half_character,
    has_line_break,
    keys_twice,
    not_utf8,
    not_utf8_at,
)
from streamer.requests.problems import shown
from streamer.requests.prompt import Params, content_is_mistyped

CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KEYS = ("custom_id", "params")  # which belong beside params
_UNSUPPORTED = ("speed", "store", "previous_thread_event_id", "cache_hint", "context_hint", "fallbacks")
# What libraries take as arguments of the call and the API takes as headers: in a body it is "not permitted".
_OF_THE_CALL = {
    "betas": "betas go with the batch, not into params: leave it out and say --beta NAME, in the library betas=[...]",
    "extra_headers": "headers go with the batch, not into params: leave it out and say --header 'NAME: VALUE'",
    "extra_query": "it is an argument of a client's call, which the API refuses in params; leave it out",
    "extra_body": "it is an argument of a client's call, which the API refuses; write what is in it into params",
    "timeout": "it is an argument of a client's call, which the API refuses in params; leave it out",
    "anthropic_version": "it is for Bedrock and Vertex AI, and the API refuses it in params; leave it out",
    "anthropic_beta": "betas go with the batch, not into params: leave it out and say --beta NAME",
}
_SHORTEST_PAIR = len(b'"params":{},')  # bytes that a key which stands twice takes at the least
_AROUND = len(b'{"custom_id":"","params":}')


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
    raw: Text  # the params as JSON, as they were given but for white space; long ones are not copied
    params: Params


class _Request(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    custom_id: str
    params: msgspec.Raw


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_params = msgspec.json.Decoder(Params).decode


def check_request(text: Text) -> Checked:
    """Check `{"custom_id": ..., "params": {...}}`.

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
        raise Refused([not_json(error, text)]) from None
    if not CUSTOM_ID.fullmatch(request.custom_id):
        raise _refused_request(text)
    try:
        checked = check_params(request.custom_id, _view(request.params))
    except Refused as refused:
        refused.custom_id = request.custom_id
        raise
    # No other key is allowed, so a key can stand twice only where there are more bytes than the two take.
    if len(text) - len(request.custom_id) - len(memoryview(request.params)) - _AROUND >= _SHORTEST_PAIR:
        reasons = _twice(text)
        if reasons:
            raise Refused(reasons)
    return checked


def check_given(custom_id: str, text: Text) -> Checked:
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


def check_params(custom_id: str, text: Text) -> Checked:
    """Check the params alone, e.g. `{"model": ..., "max_tokens": ..., "messages": [...]}`.

    Raises:
        Refused: they cannot be sent.
    """
    # What msgspec steps over it does not look at closely: Unicode only where it makes a string of it.
    if reason := not_utf8(text):
        raise Refused([reason])
    try:
        params = _decode_params(text)
        if has_line_break(text):
            text = msgspec.json.format(bytes(text), indent=-1)
            params = _decode_params(text)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _refused_params(text, error) from None
    except msgspec.DecodeError as error:
        raise Refused([not_json(error, text)]) from None
    if reasons := [*_forbidden(params), *content_is_mistyped(params)]:
        raise Refused(reasons)
    return Checked(custom_id, text, params)


def not_json(error: Exception, text: Text = b"") -> str:
    """Why a text is no JSON, for people, with what to do where the mistake is a known one."""
    if isinstance(error, RecursionError):
        return "this cannot be read: it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return not_utf8_at(error)
    if half := half_character(text):
        return half
    return f"this is no JSON: {str(error).removeprefix('JSON is malformed: ')}{_likely(text)}"


_COMMENT = re.compile(rb"[ \t]*(?://|/\*|#)|.*[\]}\",0-9][ \t]+(?:/[/*]|#)[^\"]*$", re.DOTALL)
_MORE = re.compile(rb"[ \t]*\{.*\}[ \t]*,[ \t]*$", re.DOTALL)
_TRAILING = re.compile(rb",[ \t\r\n]*[}\]]")
_PYTHON = re.compile(rb"[ \t]*\{[ \t]*'|[:,\[][ \t]*(?:None|True|False)[ \t]*[,}\]]")
_NUMBER = re.compile(rb"[:,\[][ \t]*-?(?:NaN|Infinity)")
_LOOKED_AT = 1 << 16  # bytes of a text within which a mistake is looked for


def _likely(text: Text) -> str:
    """What the mistake most likely is."""
    head = bytes(text[:_LOOKED_AT])
    if _PYTHON.match(head) or _PYTHON.search(head):
        return "; it looks like Python: write it with json.dumps"
    if _COMMENT.match(head):
        return "; JSON has no comments: remove them"
    if _MORE.match(head):
        return "; between lines stands no comma: remove it (sed 's/,[[:space:]]*$//'), or put [ and ] around them all"
    if _TRAILING.search(head):
        return "; JSON has no comma before a closing brace or bracket: remove it"
    return "; JSON has no such number: write null" if _NUMBER.search(head) else ""


def _view(raw: msgspec.Raw) -> Text:
    """The bytes of a part: a copy where it is short, as that is faster, and none where it is long."""
    view = memoryview(raw)
    return view if len(view) > PIECE else bytes(view)


def _twice(text: Text) -> list[str]:
    return [f"{shown(key)} stands in this request twice, and only one can be meant" for key in keys_twice(text)]


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


def _refused_request(text: Text) -> Refused:
    """All reasons why a request that is JSON has not the right shape."""
    if reason := not_utf8(text):
        return Refused([reason])
    try:
        request = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return Refused(["a request is a JSON object with custom_id and params, and this is none"])
    except (msgspec.DecodeError, RecursionError) as error:
        return Refused([not_json(error, text)])
    reasons = [
        f"{shown(key)} does not belong in a request, which has custom_id and params only{_meant(key)}"
        for key in request
        if key not in _KEYS
    ]
    twice = _twice(text)
    reasons += twice
    custom_id = _custom_id(request.get("custom_id"), reasons)
    if "params" not in request:
        reasons.append("there are no params")
    else:
        try:
            check_params("", _view(request["params"]))
        except Refused as refused:
            reasons += refused.reasons
    return Refused(reasons, None if twice else custom_id)


def _meant(key: str) -> str:
    """Which key is meant, where it is one of the two in another spelling."""
    plain = re.sub(r"[^a-z]", "", key.lower())
    meant = {"customid": "custom_id", "id": "custom_id", "param": "params", "params": "params"}.get(plain)
    return f"; is it {meant}?" if meant else ""


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
    reason = f"the custom_id {shown(custom_id)} is not 1 to 64 letters, digits, hyphens and underscores"
    return reason + ("; the apostrophe is a spreadsheet's mark of text: remove it" if custom_id[:1] == "'" else "")


def _refused_params(text: Text, error: Exception) -> Refused:
    """All reasons why params that are JSON have not the right shape; `error` says one of them."""
    if isinstance(error, RecursionError):
        return Refused([not_json(error)])
    try:
        given = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return Refused(["params must be a JSON object"])
    except (msgspec.DecodeError, RecursionError) as broken:
        return Refused([not_json(broken, text)])
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
            other = name.replace("_", "")
            meant = next((key for key in given if key.lower() == other and key != name), None)
            reasons.append(f"params.{name} is missing" + (f"; is it {shown(meant)}?" if meant else ""))
    reasons += [*_forbidden(Params(**fine)), *content_is_mistyped(Params(**fine))]
    return Refused(reasons or [f"params cannot be read: {error}"])


_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    field.name: msgspec.json.Decoder(field.type) for field in msgspec.structs.fields(Params)
}


def _mistyped(name: str, value: msgspec.Raw, wrong: str) -> str:
    if name in _UNSUPPORTED:
        return f"params.{name} is not supported in batches; leave it out"
    if name in _OF_THE_CALL:
        return f"params.{name}: {_OF_THE_CALL[name]}"
    if name in _KEYS:
        return f"{name} does not belong in params, but beside them"
    if name == "max_tokens" and bytes(value) == b"0":
        return "params.max_tokens is 0, which batches do not support; it must be at least 1"
    if name == "messages" and bytes(value).strip(b"[ \t\r\n]") == b"":
        return "params.messages is empty; it must have at least one message"
    what, _, where = wrong.partition(" - at `$")
    path = where.rstrip("`")
    return f"params.{name}{path} is wrong: {what[:1].lower()}{what[1:].replace('`', '')}"
