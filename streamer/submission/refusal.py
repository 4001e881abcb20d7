"""What a refused create means: wait, or stop and say what to do. Plain functions, no clock and no network."""

from __future__ import annotations

from random import Random

from streamer.api.retry import NO_LIST_STATUSES, SPEND_LIMIT_CODES
from streamer.errors import ApiError, AuthenticationError, GatewayError, StreamerError

FIRST_PAUSE = 30.0  # seconds
LONGEST_PAUSE = 600.0  # seconds
QUEUE_PATIENCE = 25 * 3600.0  # seconds: every batch in the queue expires after 24 hours, so it must have moved by then
TOLD_EVERY = 900.0  # seconds between two warnings that there is no room
OWN_LIMIT = "api usage limits"  # "You have reached your specified API usage limits": a 400, without a code


def passes(error: StreamerError) -> bool:
    """Whether the same create will be taken once there is room: the queue or the rate is at its limit."""
    return isinstance(error, ApiError) and error.status == 429 and not is_spend_limit(error)


def cannot_be_listed(error: StreamerError) -> bool:
    """Whether the batches cannot be listed here at all, however often it is tried: the API or a gateway says so."""
    if isinstance(error, GatewayError):
        unreadable = error.status < 300 and bool(error.detail)
        return unreadable or error.status in NO_LIST_STATUSES
    if not isinstance(error, ApiError) or isinstance(error, AuthenticationError):
        return False
    return error.status == 501 or (error.status < 500 and error.status != 429)


def is_spend_limit(error: ApiError) -> bool:
    """Whether nothing more is taken before somebody pays, raises a limit, or the month ends."""
    return (
        error.error_code in SPEND_LIMIT_CODES
        or error.status == 402
        or error.type == "billing_error"
        or OWN_LIMIT in error.detail.lower()
    )


def pause(refusals: int, random: Random) -> float:
    """Seconds to wait after so many refusals in a row, from 1; the client's own retries come on top."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(refusals - 1, 10)) * random.uniform(0.5, 1.0)


def remedy(error: StreamerError) -> str:
    """What to do about a create that was refused for good."""
    if isinstance(error, ApiError) and is_spend_limit(error):
        return "raise the spend limit or the credit, or wait until the limit is reset, and run the same again to go on"
    return "put that right and run the same again to go on"
