"""What an answer means: its bytes and headers turned into a failure to decide on and an error to show."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from streamer.api.masking import Printable
from streamer.api.retry import SPEND_LIMIT_CODES, Failure, retry_after, should_retry
from streamer.api.types import ErrorResponse
from streamer.errors import ApiError, AuthenticationError, NotFoundError, RateLimitError

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


@dataclass(frozen=True, slots=True)
class WholeResponse:
    """One whole answer: status, headers (any case), and the body up to a cap."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    coding: str = ""  # what the body is still compressed with, e.g. `gzip`
    cut: bool = False  # the body goes on beyond the cap
    lost: str = ""  # why the body ended early; empty when it did not

    def __repr__(self) -> str:  # a server may echo the key, and crash reports show the locals of every frame
        return f"<WholeResponse {self.status}, {len(self.body):,} bytes>"

    @property
    def error(self) -> ErrorResponse:
        """The API's error object; an empty one when the body is something else."""
        body = self.body
        if self.coding == "gzip":
            try:
                body = zlib.decompressobj(GZIP_WINDOW).decompress(body, 65536)
            except zlib.error:
                body = b""
        try:
            return msgspec.json.decode(body, type=ErrorResponse)
        except (ValueError, RecursionError):  # broken UTF-8 is not a DecodeError
            return ErrorResponse()

    @property
    def request_id(self) -> str:
        """The API's name for this request, as it came."""
        return self.headers.get("request-id") or self.error.request_id or ""


def failure_of(answer: WholeResponse, now: datetime, shown: Printable) -> Failure:
    """What the retry decision needs to know about an answer that is not what was asked for.

    `shown` makes text from outside fit to show.
    """
    return Failure(
        status=answer.status,
        type=shown(answer.error.error.type, SHORT),
        error_code=shown(_error_code(answer.error), SHORT),
        should_retry=should_retry(answer.headers),
        retry_after=retry_after(answer.headers, now),
    )


def api_error(
    answer: WholeResponse, *, what: str, who: str, attempts: int, shown: Printable, key_source: str
) -> ApiError:
    """The error to raise for an answer with an error status.

    Args:
        answer: what came.
        what: what was asked for, e.g. `retrieve msgbatch_1`.
        who: who answered, e.g. `the API`.
        attempts: how often it was sent.
        shown: makes text from outside fit to show.
        key_source: where the key came from, for the hint after a 401; empty when the key was not sent.
    """
    error = answer.error.error
    code = shown(_error_code(answer.error), SHORT)
    kind = shown(error.type, SHORT)
    request_id = shown(answer.request_id, SHORT)
    detail = shown(error.message, SHOWN_CHARACTERS)
    message = f"{what}: {who} answered {answer.status}"
    if kind:
        message += f" {kind}"
    if detail:
        message += f": {detail}"
    elif answer.body and not kind:
        message += f" with {body_shown(answer, shown)}"
    facts = [f"error_code {code}"] if code else []
    facts += [f"request-id {request_id}"] if request_id else []
    facts += [f"after {attempts} attempts"] if attempts > 1 else []
    if facts:
        message += f" ({', '.join(facts)})"
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


def body_shown(answer: WholeResponse, shown: Printable) -> str:
    """The beginning of a body that is not the API's, for an error message; `shown` makes it fit for that."""
    kind = shown(answer.headers.get("content-type") or "no content type", SHORT)
    if answer.coding:
        return f"{kind} in {shown(answer.coding, SHORT)}"
    return f'{kind}: "{shown(answer.body.decode("utf-8", "replace"), SHOWN_BODY)}"'


def _error_code(response: ErrorResponse) -> str:
    code = (response.error.details or {}).get("error_code")
    return code if isinstance(code, str) else ""


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
    if 300 <= status < 400:
        return "redirects are not followed here; check the base URL"
    return ""
