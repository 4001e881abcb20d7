"""What can be chosen about how batches are created."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.submission.recovery import STOP, OnUnknown


@dataclass(frozen=True, kw_only=True)
class CreateOptions:
    """How batches are created.

    Attributes:
        on_unknown: what to do where the list does not tell whether a batch was created: `stop`; `resend`, which may
            create it twice; the id of the batch that it is; or a coroutine function that gets an `Unsettled` and
            returns one of these.
        warm_cache: let a first batch of one request end before the others of its attempt are sent, so that they find
            the cache warm.
    """

    on_unknown: OnUnknown = STOP
    warm_cache: bool = False
