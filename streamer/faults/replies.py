"""Answers that are made here, in place of the upstream's."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from streamer.faults.body import ServerAnswer, of
from streamer.faults.coding import bomb
from streamer.faults.http1 import RequestHead
from streamer.faults.script import Fault

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_BODIES = {
    "html": ("text/html", b"<!doctype html>\n<html><body><h1>Sign in to the network</h1></body></html>\n"),
    "text": ("application/json", b"upstream connect error or disconnect/reset before headers"),
    "empty": ("application/json", b""),
    "object": ("application/json", b"{}"),
}
_FILLER = b"x" * (1 << 14)


def failed(status: int, message: str, *fields: tuple[str, str]) -> ServerAnswer:
    """An error as the API sends it."""
    kind = _ERRORS.get(status, "api_error")
    error = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fault"}
    return _answer(status, "application/json", json.dumps(error).encode()).with_fields(*fields)


def made(fault: Fault, request: RequestHead) -> ServerAnswer | None:
    """The answer of a fault of the stage `REPLY`; None: close the connection without one."""
    match fault.name:
        case "status":
            added = [field for field in fault.params if field[0] != "accepted"]
            return failed(fault.number, "A fault of the script", *added)
        case "body":
            return _answer(int(fault.param("status") or 200), *_BODIES[str(fault.value)])
        case "redirect":
            return _redirect(fault, request.line[1])
        case "bomb":
            coded = (("content-type", "application/x-jsonl"), ("content-encoding", "gzip"))
            return ServerAnswer(status=200, fields=coded, body=bomb(fault.number))
        case "endless_body":
            plain = (("content-type", "text/plain"),)
            return ServerAnswer(status=fault.number, fields=plain, body=of(b""), chunked=True, tail=_FILLER)
        case _:
            return None


def _answer(status: int, content_type: str, body: bytes) -> ServerAnswer:
    return ServerAnswer(
        status=status, fields=(("content-type", content_type), ("request-id", "req_fault")), body=of(body)
    )


def _redirect(fault: Fault, target: str) -> ServerAnswer:
    address = str(fault.value)
    if address == "self":
        address = target
    elif not urlsplit(address).path:
        address = address.rstrip("/") + target
    return _answer(int(fault.param("status") or 307), "text/plain", b"").with_fields(("location", address))
