"""Which requests are sent again, decided by what became of them. Pure functions over words.

Sending again helps where the request was fine and the moment was not. It costs nothing extra: errored, canceled and
expired requests are not billed (https://docs.anthropic.com/en/docs/build-with-claude/batch-processing).
"""

from __future__ import annotations

from collections.abc import Collection

from streamer.api.types import RESULT_TYPES
from streamer.errors import ConfigurationError

SUCCEEDED, ERRORED, CANCELED, EXPIRED = RESULT_TYPES
MISSING = "missing"  # no record came for the request

RETRIED = frozenset({EXPIRED, "overloaded_error", "api_error", "timeout_error", "rate_limit_error"})

# Each of these is sent again only by somebody who knows better, and this says what there is to know.
REASONS = {
    CANCELED: "somebody canceled its batch",
    MISSING: "no record of it came: its batch has not ended, or its results are elsewhere or gone",
    "invalid_request_error": "its params are refused, and would be again",
    "not_found_error": "what it names is not there, most likely its model",
    "authentication_error": "the key was refused",
    "permission_error": "the key may not do this",
    "billing_error": "the account could not pay for it",
}
_UNKNOWN = "what this means is not known here"

# The API has told of an empty account in an error of this type since 2024; the text tells it from wrong params.
_LOW_BALANCE = ("invalid_request_error", b"credit balance is too low", "billing_error")


def word(kind: str, error: str) -> str:
    """The one word for what became of a request: the error's type for an errored one, else the result's.

    >>> word("expired", ""), word("errored", "api_error"), word("errored", "")
    ('expired', 'api_error', 'errored')
    """
    return error or ERRORED if kind == ERRORED else kind


def true_error(error: str, raw: bytes) -> str:
    """What the error in the record `raw` is, which the API calls `error`: an empty account is a matter of billing.

    >>> true_error("invalid_request_error", b'... "Your credit balance is too low to access the API."}}}}')
    'billing_error'
    """
    named, text, truly = _LOW_BALANCE
    return truly if error == named and text in raw else error


def retryable(what: str, also: Collection[str] = ()) -> bool:
    """Whether a request is sent again.

    Args:
        what: the `word` for what became of it, or `missing`.
        also: words of which the user wants those sent again, too.

    >>> retryable("expired"), retryable("canceled"), retryable("canceled", {"canceled"})
    (True, False, True)
    """
    return what in RETRIED or what in also


def reason(what: str) -> str:
    """Why such a request is not sent again unless somebody asks for it.

    >>> reason("canceled")
    'somebody canceled its batch'
    """
    return REASONS.get(what, _UNKNOWN)


def checked(also: Collection[str]) -> frozenset[str]:
    """The words that a user gave for what is to be sent again, too.

    Raises:
        ConfigurationError: one of them names no type of result or error that can be sent again.
    """
    for what in also:
        if what == SUCCEEDED:
            raise ConfigurationError("what succeeded is answered and paid for; it is not sent again")
        if what not in REASONS and not what.endswith("_error"):
            known = ", ".join(sorted(REASONS))
            raise ConfigurationError(f"{what!r} is nothing that can be sent again; there is {known}")
    return frozenset(also)
