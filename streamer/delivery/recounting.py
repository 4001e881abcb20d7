"""The counts of a batch, asked for again: a server may say that a batch has ended a moment before it has counted it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.clock import Clock
from streamer.errors import ApiError, AuthenticationError, TransportError
from streamer.results.accounting import Verdict

log = logging.getLogger("streamer.delivery")

PAUSES = (0.0, 1.0, 3.0, 10.0)  # seconds before each question


def are_doubtful(batch: Batch, verdict: Verdict) -> bool:
    """Whether what came shows the counts to be wrong, rather than the counts what came to be too little.

    An ended batch has at least one request and none in processing; and a download cannot bring more than there is.
    """
    counts = batch.request_counts
    return counts is None or counts.total == 0 or counts.processing > 0 or bool(verdict.surplus)


async def recounted(client: Client, batch: Batch, doubtful: Callable[[Batch], bool], clock: Clock) -> Batch:
    """The batch with the counts that it has by now: the first that can be right, or else the newest.

    Args:
        client: asks.
        batch: the batch, ended.
        doubtful: whether its counts cannot be right.
        clock: where time comes from.

    Raises:
        AuthenticationError: the key is refused.
    """
    for seconds in PAUSES:
        await clock.sleep(seconds)
        extra = {"action": "recount", "batch_id": batch.id}
        try:
            fresh = await client.retrieve(batch.id)
        except AuthenticationError:
            raise
        except (ApiError, TransportError) as error:
            log.warning("%s: its counts could not be asked for again: %s", batch.id, error, extra=extra)
            continue
        log.info("%s: its counts are asked for again: %s", batch.id, fresh.request_counts, extra=extra)
        if fresh.ended and fresh.id == batch.id:
            batch = msgspec.structs.replace(batch, request_counts=fresh.request_counts)
            if not doubtful(batch):
                break
    return batch
