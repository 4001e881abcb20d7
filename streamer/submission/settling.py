"""What came of a create with an unknown outcome: found in the list, or decided by somebody."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streamer.api.client import Client
from streamer.clock import Clock
from streamer.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    SubmissionError,
)
from streamer.submission.ledger import Planned
from streamer.submission.search import search
from streamer.submission.settlement import in_time
from streamer.threads import Threads

log = logging.getLogger("streamer.submission")

STOP, RESEND = "stop", "resend"
SHOWN = 10  # ids in a message


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A create of which nobody knows what came of it, for whoever decides.

    Attributes:
        intent: the batch that was about to be created.
        candidates: ids of the batches that may be it; none when the list cannot be had.
        reason: why it cannot be decided.
    """

    intent: Planned
    candidates: list[str]
    reason: str

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.intent.intended_at or 0.0, UTC)
        return (
            f"whether batch {self.intent.number} with its {self.intent.slice.requests:,} requests was created at "
            f"{at:%Y-%m-%d %H:%M:%S} UTC cannot be told: {self.reason}"
        )


OnUnknown = str | Callable[[Unsettled], Awaitable[str]]


async def settle(
    client: Client,
    intent: Planned,
    spool: Path,
    known: Collection[str],
    *,
    on_unknown: OnUnknown,
    clock: Clock,
    threads: Threads,
) -> str | None:
    """The id of the batch that an intent made; None when it made none and may be sent again.

    Args:
        client: asks the API.
        intent: the batch that was about to be created.
        spool: the file with its requests.
        known: ids of the batches that the ledger knows.
        on_unknown: what to do when the list does not tell.
        clock: what is waited by.
        threads: the thread that reads the spool.

    Raises:
        SubmissionError: it cannot be told, and nobody says what to do.
        ConfigurationError: the batch that was named cannot be it.
        AuthenticationError: the key is refused.
        StreamerError: the API does not answer, so that it cannot be told now.
    """
    try:
        found = await search(client, intent, spool, known, clock=clock, threads=threads)
    except AuthenticationError:
        raise
    except ApiError as error:
        if error.status >= 500 or error.status == 429:
            raise
        unsettled = Unsettled(intent, [], f"the batches cannot be listed ({error})")
        return await _decided(client, unsettled, known, on_unknown)
    ids = [batch.id for batch in found]
    if len(found) > 1:
        names = ", ".join(ids[:SHOWN]) + (" and more" if len(ids) > SHOWN else "")
        unsettled = Unsettled(intent, ids, f"{len(ids)} batches may be it: {names}")
        return await _decided(client, unsettled, known, on_unknown)
    if found and not in_time(found[0], intent):
        late = f"{ids[0]} may be it, but was created at {found[0].created_at:%Y-%m-%d %H:%M:%S} UTC only"
        return await _decided(client, Unsettled(intent, ids, late), known, on_unknown)
    if found:
        log.warning("it was created: it is %s", ids[0], extra={"action": "settled", "batch_id": ids[0]})
        return ids[0]
    log.warning("it was not created, so it is sent again", extra={"action": "settled"})
    return None


async def _decided(client: Client, unsettled: Unsettled, known: Collection[str], on_unknown: OnUnknown) -> str | None:
    """What somebody decides about an intent."""
    decision = on_unknown if isinstance(on_unknown, str) else await on_unknown(unsettled)
    if decision == STOP:
        raise SubmissionError(
            f"{unsettled}; look at the batches with `streamer list` and `streamer show`, then run the same again with "
            "--on-unknown ID to take that one for it, or with --on-unknown resend if it is none of them"
        )
    if decision == RESEND:
        return None
    requests = unsettled.intent.slice.requests
    batch = await client.retrieve(decision)
    if batch.id in known:
        raise ConfigurationError(f"{batch.id} is another batch of this submission, not the one that is looked for")
    if batch.request_counts.total != requests:
        raise ConfigurationError(
            f"{batch.id} has {batch.request_counts.total:,} requests and the one that is looked for {requests:,}"
        )
    return batch.id
