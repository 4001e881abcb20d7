"""Everything `streamer` raises: one tree, each message saying what happened, where, and what to do.

`StreamerError`
- `ConfigurationError`: what was asked for cannot work (no key, malformed id, bad target)
- `ApiError`: the API refused, in its own words
  - `AuthenticationError` (401, 403), `NotFoundError` (404), `RateLimitError` (429)
- `TransportError`: no usable answer came (refused, reset, stalled, cut)
  - `GatewayError`: something between here and the API answered in its place
    - `NotResultsError`: and what came in place of results is a page
  - `OutcomeUnknownError`: a request that must not be repeated may have reached the server
- `ResultsError`: the results are not what they should be
  - `UntrustedHostError`, `IncompleteError`, `RecordError`
- `SinkError`: a sink could not take or keep records
- `StorageError`: the disk does not take or give what has to be kept
  - `InUseError`: another process has it
- `SubmissionError`: requests could not all be submitted; what was is in the ledger

No message and no attribute ever holds the API key or a URL's query.
"""

from __future__ import annotations


class StreamerError(Exception):
    """The base of every error that `streamer` raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        # The default calls the class with the message alone, which the classes with more arguments refuse.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[StreamerError], args: tuple[object, ...], attributes: dict[str, object]) -> StreamerError:
    """An error as it was pickled, e.g. in another process."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class ConfigurationError(StreamerError):
    """What was asked for cannot work; nothing was sent."""


class ApiError(StreamerError):
    """The API refused: the answer has an error status and the API's own error body, so it is the API's verdict.

    An error status alone proves nothing, as anything in between may have made it: that is a `GatewayError`.

    Attributes:
        status: the HTTP status, e.g. 529.
        type: the error's type in the API's words, e.g. `overloaded_error`.
        detail: the API's own message, shortened and with control characters escaped.
        request_id: the `request-id` of the answer, for the API's support; empty when there was none.
        error_code: `error.details.error_code`, e.g. `enforced_spend_limit_reached`; empty when there was none.
        attempts: how many times the request was sent.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str = "",  # noqa: A002 - the API's own word for it
        detail: str = "",
        request_id: str = "",
        error_code: str = "",
        attempts: int = 1,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.detail = detail
        self.request_id = request_id
        self.error_code = error_code
        self.attempts = attempts


class AuthenticationError(ApiError):
    """The key was refused (401) or may not do this (403)."""


class NotFoundError(ApiError):
    """There is no such batch for this key (404): deleted, of another workspace, or mistyped."""


class RateLimitError(ApiError):
    """The API refused for now, or until a spend limit is raised (429)."""


class TransportError(StreamerError):
    """No usable answer came: refused, reset, stalled, cut, or malformed on the wire.

    Attributes:
        received: bytes of the body that had been read when it ended early; 0 when none was.
    """

    def __init__(self, message: str, *, received: int = 0) -> None:
        super().__init__(message)
        self.received = received


class GatewayError(TransportError):
    """Something between here and the API answered in its place: a proxy, a CDN, a portal that wants a login.

    An answer is taken for the API's only when its body is: an error has the API's own error body, anything else is
    what was asked for. What is neither says nothing about the request, whatever its status. It is like weather: waited
    out, and raised when it lasts. A gateway whose errors have a shape of their own ends here too; `detail` then
    has its words.

    Attributes:
        status: the HTTP status of the answer, e.g. 403.
        detail: what is wrong in the words of a gateway that speaks JSON; empty for a page, or for nothing at all.
        attempts: how many times the request was sent.
    """

    def __init__(self, message: str, *, status: int, detail: str = "", attempts: int = 1) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.attempts = attempts


class NotResultsError(GatewayError):
    """The answer to a request for results is something else, e.g. a proxy's HTML page."""


class OutcomeUnknownError(TransportError):
    """A request that must not be repeated blindly may have reached the server; list the batches to find out."""


class ResultsError(StreamerError):
    """The results are not what they should be."""


class UntrustedHostError(ResultsError):
    """The `results_url` names a host that is not the API's; the key was not sent there."""


class IncompleteError(ResultsError):
    """The records that came do not prove the batch complete.

    Attributes:
        expected: records the batch must have, by its `request_counts`.
        received: distinct custom_ids that came.
    """

    def __init__(self, message: str, *, expected: int, received: int) -> None:
        super().__init__(message)
        self.expected = expected
        self.received = received


class RecordError(ResultsError):
    """A record cannot be decoded; its bytes are untouched in `raw`."""


class SinkError(StreamerError):
    """A sink could not take or keep records; what it already holds is unharmed."""


class StorageError(StreamerError):
    """The disk does not take, keep or give what has to be kept; what it holds already is unharmed."""


class InUseError(StorageError):
    """Another process has the file or the project open; let it finish, or name another place."""


class SubmissionError(StreamerError):
    """Requests could not all be submitted; the ledger knows what was, and the same again goes on from there."""
