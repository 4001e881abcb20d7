"""What an answer means: its bytes and headers turned into a failure to decide on and an error to show."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from streamer.api.masking import Printable
from streamer.api.retry import SPEND_LIMIT_CODES, Failure, retry_after, should_retry
from streamer.errors import ApiError, AuthenticationError, GatewayError, NotFoundError, RateLimitError

SHOWN_CHARACTERS = 300  # of a server's own message
SHOWN_BODY = 200  # of a body that is not the API's
SHORT = 80  # of a name, such as an error's type
GZIP_WINDOW = 31  # zlib's number for "gzip header and trailer expected"
ERRORS: Mapping[int, type[ApiError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    429: RateLimitError,
}


class _Words(msgspec.Struct):
    type: str
    message: str
    details: Any = None


class ApiErrorBody(msgspec.Struct):
    """The API's own error body: `{"type": "error", "error": {"type": ..., "message": ...}, "request_id": ...}`."""

    type: Literal["error"]
    error: _Words
    request_id: Any = None

    @property
    def code(self) -> str:
        """`error.details.error_code`; empty when there is none."""
        code = self.error.details.get("error_code") if isinstance(self.error.details, dict) else ""
        return code if isinstance(code, str) else ""


@dataclass(frozen=True, slots=True)
class WholeResponse:
    """One whole answer: status, headers (any case), and the body up to a cap."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    coding: str = ""  # what the body is still compressed with, e.g. `gzip`
    cut: bool = False  # the body goes on beyond the cap
    lost: str = ""  # why the body ended early; empty when it did not
    sent: bool = True  # the whole request had left when it came

    def __repr__(self) -> str:  # a server may echo the key, and crash reports show the locals of every frame
        return f"<WholeResponse {self.status}, {len(self.body):,} bytes>"

    @property
    def error(self) -> ApiErrorBody | None:
        """The API's own error body; None when somebody else spoke, or nobody can tell.

        No header and no status decides that: a proxy adds the first and makes up the second. An empty body, as of the
        answer to a HEAD, has nobody's words, and one that broke off may have had others.
        """
        if self.lost:
            return None
        try:
            found = msgspec.json.decode(self._plain(), type=ApiErrorBody)
        except (ValueError, RecursionError):  # broken UTF-8 is not a DecodeError
            return None
        return found if found.error.type else None

    @property
    def words(self) -> str:
        """What the error of a gateway with a shape of its own says, as it came; empty for a page or for nothing.

        >>> WholeResponse(404, {}, b'{"error": {"message": "no such batch", "code": "404"}}').words
        'no such batch'
        """
        try:
            found: Any = msgspec.json.decode(self._plain(), type=dict[str, Any])
        except (ValueError, RecursionError):
            return ""
        for name in ("error", "message", "detail", "message"):
            if isinstance(found, dict):
                found = found.get(name, found)
        return found if isinstance(found, str) else ""

    def _plain(self) -> bytes:
        if self.coding != "gzip":
            return self.body
        try:
            return zlib.decompressobj(GZIP_WINDOW).decompress(self.body, 65536)
        except zlib.error:
            return b""


def failure_of(answer: WholeResponse, now: datetime) -> Failure:
    """What the retry decision needs to know about an answer that is not what was asked for: who spoke, above all."""
    error = answer.error
    return Failure(
        status=answer.status,
        by_api=error is not None,
        error_code=error.code if error is not None and error.code in SPEND_LIMIT_CODES else "",
        should_retry=should_retry(answer.headers),
        retry_after=retry_after(answer.headers, now),
        sent=answer.sent,
    )


def error_of(
    answer: WholeResponse, *, what: str, who: str, attempts: int, shown: Printable, key_source: str
) -> ApiError | GatewayError:
    """The error to raise for an answer with an error status.

    Args:
        answer: what came.
        what: what was asked for, e.g. `retrieve msgbatch_1`.
        who: who was asked, e.g. `the API`.
        attempts: how often it was sent.
        shown: makes text from outside fit to show.
        key_source: where the key came from, for the hint after a 401; empty when the key was not sent.
    """
    error = answer.error
    if error is None:
        return _gateway_error(answer, what=what, who=who, attempts=attempts, shown=shown, key_source=key_source)
    code, kind = shown(error.code, SHORT), shown(error.error.type, SHORT)
    detail = shown(error.error.message, SHOWN_CHARACTERS)
    request_id = shown(_request_id(answer, error), SHORT)
    message = f"{what}: {who} answered {answer.status} {kind}" + (f": {detail}" if detail else "")
    message += _facts(f"error_code {code}" if code else "", request_id, attempts)
    hint = _hint(answer.status, code, key_source)
    # Without the key a 401 or 403 says nothing about it: other batches can go on.
    kind_of_error = ERRORS.get(answer.status, ApiError) if key_source else ApiError
    return kind_of_error(
        f"{message}; {hint}" if hint else message,
        status=answer.status,
        type=kind,
        detail=detail,
        request_id=request_id,
        error_code=code,
        attempts=attempts,
    )


def _gateway_error(
    answer: WholeResponse, *, what: str, who: str, attempts: int, shown: Printable, key_source: str
) -> GatewayError:
    message = f"{what}: something between here and {who} answered {answer.status} with {body_shown(answer, shown)}"
    message += _facts("", shown(_request_id(answer, None), SHORT), attempts)
    hint = _gateway_hint(answer.status, key_source if answer.words else "")
    return GatewayError(
        f"{message}; {hint}" if hint else message,
        status=answer.status,
        detail=shown(answer.words, SHOWN_CHARACTERS),
        attempts=attempts,
    )


def _facts(code: str, request_id: str, attempts: int) -> str:
    """What stands in brackets behind a message."""
    facts = [code] if code else []
    facts += [f"request-id {request_id}"] if request_id else []
    facts += [f"after {attempts} attempts"] if attempts > 1 else []
    return f" ({', '.join(facts)})" if facts else ""


def _request_id(answer: WholeResponse, error: ApiErrorBody | None) -> str:
    """The name of this request, as it came."""
    named = answer.headers.get("request-id") or (error.request_id if error is not None else "")
    return named if isinstance(named, str) else ""


def body_shown(answer: WholeResponse, shown: Printable) -> str:
    """The beginning of a body that is not the API's, for an error message; `shown` makes it fit for that."""
    kind = shown(answer.headers.get("content-type") or "no content type", SHORT)
    if answer.coding:
        return f"{kind} in {shown(answer.coding, SHORT)}"
    return f'{kind}: "{shown(answer.body.decode("utf-8", "replace"), SHOWN_BODY)}"'


def _hint(status: int, code: str, key_source: str) -> str:
    if status in (401, 403) and not key_source:
        return "the key is not sent to that host"
    if status == 401:
        return f"check the key in {key_source}"
    if status == 403:
        return f"the key in {key_source} may not do this; ask the workspace's administrator"
    if status == 404:
        return "check the id, the base URL (it ends before /v1), and that the key is of the batch's workspace"
    if code in SPEND_LIMIT_CODES:
        return "the spend limit is reached: raise it or wait until it is reset"
    return ""


def _gateway_hint(status: int, key_source: str) -> str:
    """What may help when it lasts; the key is no suspect where a page says no."""
    if status in (401, 403) and key_source:
        return f"if that is a gateway of yours, check the key in {key_source}"
    if status == 404:
        return "check the id, and the base URL (it ends before /v1)"
    if status == 407:
        return "a proxy wants credentials"
    if 300 <= status < 400:
        return "redirects are not followed here; check the base URL"
    return ""
