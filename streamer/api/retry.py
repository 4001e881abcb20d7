"""When to try again, and how long to wait first: numbers and plain functions, no clock and no network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

# A 429 with one of these lasts until somebody raises a limit or the month ends; trying again cannot help.
SPEND_LIMIT_CODES = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})
# What a gateway answers that passes no list of batches on, or that does not allow a page of that size.
NO_LIST_STATUSES = frozenset({404, 405, 501})
PAGE_REFUSED_STATUSES = frozenset({400, 413, 422})
NOT_SATISFIABLE = 416  # there is no such part of the results
LEAST_WAIT = 0.1  # seconds between two attempts, whatever the jitter and the server say


class Operation(StrEnum):
    """What is being asked for; it decides what may be repeated."""

    RETRIEVE = "retrieve"
    POLL = "poll"  # a retrieve by somebody who will ask again in any case
    LIST = "list"
    RESULTS = "results"
    CREATE = "create"
    CANCEL = "cancel"
    DELETE = "delete"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What one attempt came to, as far as the decision needs it."""

    status: int | None = None  # None: no answer came
    by_api: bool = True  # the answer has the API's own error body; else something in between made it
    error_code: str = ""
    should_retry: bool | None = None  # the server's own word, from `x-should-retry`
    retry_after: float | None = None  # seconds, as the server asked, uncapped
    sent: bool = True  # whether the whole request may have reached the API
    lasting: bool = False  # no answer: trying again cannot help, e.g. a certificate for another host
    reached: bool = True  # somebody has answered there before, so the address is no mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient a client is. The defaults outlast a gateway's restart or a line that is down for two minutes.

    Attributes:
        attempts: how often one request is sent at most, the first time included.
        full_attempts: how often a create is sent at most when the answer is 429: its body may have 256 MB, and a full
            queue stays full for as long as batches take.
        backoff_first: seconds that the first wait lasts at most; each further one may last twice as long.
        backoff_max: seconds that no wait exceeds, but for one the server asked for.
        retry_after_max: seconds that a server's `retry-after` is honoured up to.
        unreached_seconds: how long it is tried to connect where nobody ever answered: likelier a mistyped address or
            a missing network than an outage, and somebody is waiting to be told.
        missing_seconds: how long a 404 for a batch is taken for the API's delay rather than the truth. It has
            answered 404 seconds after create, in the middle of a batch's life, and for results just after the
            end (anthropic-sdk-python issue 1432).
        missing_results_seconds: the same for the results of a batch, which is known to exist.
        garbled_attempts: how often a request is sent at most when 200 comes with something that is not the API's,
            such as a proxy's page, or when something in between says that there is no list of batches.
    """

    attempts: int = 10
    full_attempts: int = 3
    backoff_first: float = 1.0
    backoff_max: float = 60.0
    retry_after_max: float = 120.0
    unreached_seconds: float = 10.0
    missing_seconds: float = 15.0
    missing_results_seconds: float = 60.0
    garbled_attempts: int = 3


def decide(
    policy: RetryPolicy,
    failure: Failure,
    *,
    operation: Operation,
    attempt: int,
    elapsed: float,
    jitter: float,
) -> float | None:
    """Seconds to wait before the next attempt, or None to give up.

    Args:
        policy: the numbers.
        failure: what the last attempt came to.
        operation: what was asked for.
        attempt: how many attempts there have been, from 1.
        elapsed: seconds since the first attempt began.
        jitter: a random number from 0 to 1; many clients that failed together shall not come back together.
    """
    if attempt >= _most(policy, failure, operation) or not may_repeat(failure, operation):
        return None
    backoff = min(policy.backoff_max, policy.backoff_first * 2.0 ** min(attempt - 1, 64))
    if failure.status is None and not (failure.sent or failure.reached):
        left = policy.unreached_seconds - elapsed
        return min(left, max(backoff * jitter, LEAST_WAIT)) if left > 0 else None
    if failure.status == 404 and failure.should_retry is None and operation is not Operation.LIST:
        # Not an overload: no need to spread widely, but the attempts must span the whole window.
        window = policy.missing_results_seconds if operation is Operation.RESULTS else policy.missing_seconds
        left = window - elapsed
        return min(left, max(backoff * (0.5 + 0.5 * jitter), LEAST_WAIT)) if left > 0 else None
    if failure.retry_after:  # 0 is no wish: nobody is helped by being asked again at once
        return min(failure.retry_after, policy.retry_after_max) + jitter * policy.backoff_first
    return max(backoff * jitter, LEAST_WAIT)


def _most(policy: RetryPolicy, failure: Failure, operation: Operation) -> int:
    """How often a request is sent at most, for what the last attempt came to."""
    if operation is Operation.CREATE and failure.status == 429:
        return min(policy.attempts, policy.full_attempts)
    if not failure.by_api and failure.status is not None:
        no_list = operation is Operation.LIST and failure.status in NO_LIST_STATUSES | PAGE_REFUSED_STATUSES
        if no_list or 200 <= failure.status < 300:
            return min(policy.attempts, policy.garbled_attempts)
    return policy.attempts


def may_repeat(failure: Failure, operation: Operation) -> bool:
    """Whether sending the same request again is harmless and could come out better."""
    status = failure.status
    if operation is Operation.CREATE:
        # A second batch costs money and cannot be told from the first, so not even `x-should-retry: true` counts.
        passing = not failure.by_api or status in (None, 429, 503, 529)
        return passing and took_no_effect(failure) and not _lasting(failure)
    if _lasting(failure):
        return False
    if status is None:
        # What a model writes is paid for, whether it arrives or not.
        return not (operation is Operation.MESSAGE and failure.sent)
    if not failure.by_api:
        # Like weather, whatever its status; but who polls asks again anyway, and a part that is not there never comes.
        return not (operation is Operation.POLL and status == 404) and status != NOT_SATISFIABLE
    return _api_may_change_its_mind(status, failure, operation)


def _lasting(failure: Failure) -> bool:
    """Whether the same request is certain to fail again."""
    refused = failure.by_api and failure.status in (401, 403)
    return failure.lasting or refused or failure.error_code in SPEND_LIMIT_CODES or failure.should_retry is False


def _api_may_change_its_mind(status: int, failure: Failure, operation: Operation) -> bool:
    """Whether the API may answer otherwise to the same request later."""
    if failure.should_retry:
        return True
    if status == 404:
        return operation in (Operation.RETRIEVE, Operation.RESULTS)
    if status == 409:  # for cancel and delete it may well mean: not in this state
        return operation not in (Operation.CANCEL, Operation.DELETE)
    if operation is Operation.LIST and status in NO_LIST_STATUSES:
        return False
    return status in (408, 429) or status >= 500


def took_no_effect(failure: Failure) -> bool:
    """Whether the API certainly did nothing with the request.

    True when it was not sent to its end, and for the API's own words that mean "refused at the door": any 3xx or 4xx,
    529 (its overload) and 503. An answer of anything in between is no proof, whatever its status: it may have been
    made while the API was at work. Nor is any other 5xx of the API's, nor 408 and 499, which only say that somebody
    no longer waited.
    """
    if failure.status is None or not failure.by_api:
        return not failure.sent
    return failure.status in (503, 529) or (300 <= failure.status < 500 and failure.status not in (408, 499))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The server's wish in seconds, from `retry-after-ms` or `retry-after` (a number or an HTTP date).

    None when there is none that makes sense. `now` is the wall clock, to compare a date with.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
        return max(0.0, (date - now).total_seconds())
    except (ValueError, TypeError, OverflowError):  # not a date, or one without a time zone
        return None


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """The server's word on retrying, from `x-should-retry`; None when it said nothing clear."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
