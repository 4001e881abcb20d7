"""The API's error bodies: one exception, and the answers that several places give."""

from __future__ import annotations

import msgspec

# The type that goes with each status; other 4xx are `invalid_request_error`, other 5xx `api_error`.
_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Refusal(Exception):  # noqa: N818 - an answer of the server, not a failure of it
    """A request that is answered with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def invalid(message: str) -> Refusal:
    """The answer to a request that is not valid."""
    return Refusal(400, message)


def error_body(status: int, message: str, request_id: str) -> bytes:
    """The body of an error answer.

    >>> error_body(404, "Not found", "req_1")
    b'{"type":"error","error":{"type":"not_found_error","message":"Not found"},"request_id":"req_1"}'
    """
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id})
