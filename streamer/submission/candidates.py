"""Which batch a create with an unknown outcome made, if any: decided from the workspace's list. Plain functions.

The API has no idempotency key and a batch carries no name of ours, so the list is all there is. What is known of a
batch in it: when it was created, how many requests it has, and, only after it has ended, by its results, which ones.
A batch can be the one when it

- was created no earlier than the first intent was written, and was not in the list then: where no batch was found and
  the create was sent again, what came of the first one may still turn up,
- has as many requests as the slice,
- is none that the ledger knows (creates go one after the other, so one intent at most is open), and
- has ended with custom_ids that are the slice's, or has not ended.

That is proof only of what it is *not*. A batch of as many requests that somebody else made in the same workspace
within an hour of the intent cannot be told from ours before it has ended, and with the same custom_ids never; one that
was made later is not taken for ours unless somebody says so. The same holds for a batch that was only planned, as far
as a ledger knows that may be an older copy of itself: what fits there was created since the project began.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum

import msgspec

from streamer.api.types import Batch, BatchPage
from streamer.submission.ledger import Planned

SERVER_SLACK = 60.0  # seconds that two clocks of the API may differ, and a list lag behind
CLOCK_SLACK = 900.0  # seconds that our clock may be ahead of the API's, where only ours was at hand
TAKES = 3600.0  # seconds from an intent to its batch at most: half an hour of upload, and clocks that differ


class Proof(Enum):
    """What the results of a batch say about whose it is."""

    OURS = "its custom_ids are the slice's"
    FOREIGN = "it has a custom_id that the slice has not"
    NONE = "there are no results to look at"


def earliest(intent: Planned) -> float:
    """The time of creation, in seconds since 1970, that a batch of this intent cannot be before."""
    if intent.since is not None:
        return intent.since
    began = intent.intended_at if intent.window_at is None else intent.window_at
    return (began or 0.0) - CLOCK_SLACK


def since_begin(planned: Planned, begun_at: float, since: float | None) -> Planned:
    """A planned batch as one that may have been created at any time since the project began.

    Args:
        planned: the batch.
        begun_at: when the project began, by our clock, in seconds since 1970.
        since: a time of the server's clock that no batch of the project can be before, when known.
    """
    return msgspec.structs.replace(planned, since=since, window_at=begun_at, before=())


def can_be(batch: Batch, intent: Planned, known: Collection[str]) -> bool:
    """Whether a batch can be the one that an intent made, by what the list says of it.

    Args:
        batch: as listed.
        intent: the batch that was about to be created.
        known: ids of the batches that the ledger knows.
    """
    late_enough = batch.created_at is None or batch.created_at.timestamp() >= earliest(intent)
    new = batch.id not in known and batch.id not in intent.before
    return late_enough and new and batch.requests in (None, intent.slice.requests)  # None does not speak against it


def in_time(batch: Batch, intent: Planned) -> bool:
    """Whether a batch was created as soon after an intent as its own is. A later one may be somebody else's."""
    if batch.created_at is None:
        return True
    return batch.created_at.timestamp() <= max(intent.intended_at or 0.0, intent.since or 0.0) + TAKES


def there_before(newest: BatchPage, intent: Planned) -> tuple[float | None, list[str]]:
    """What to write down with an intent.

    Args:
        newest: the first page of the list.
        intent: the batch that is about to be created.

    Returns:
        A time on the server's clock that the batch cannot be created before, None when the list does not tell; and
        the ids of those in the list that could be taken for it.
    """
    times = [batch.created_at.timestamp() for batch in newest.data if batch.created_at is not None]
    since = max(times) - SERVER_SLACK if times else None if newest.data else 0.0
    if since is not None and newest.has_more:
        since = max(since, min(times))  # what is beyond the page was there before, too
    intent = msgspec.structs.replace(intent, since=since, before=())
    return since, [batch.id for batch in newest.data if can_be(batch, intent, ())]


def may_be(proofs: Mapping[str, Proof]) -> list[str]:
    """The batches that may be the one, of those that can be by the list: none, the one, or several.

    >>> may_be({"msgbatch_1": Proof.FOREIGN, "msgbatch_2": Proof.NONE})
    ['msgbatch_2']
    >>> may_be({"msgbatch_1": Proof.OURS, "msgbatch_2": Proof.NONE})
    ['msgbatch_1']
    """
    ours = [batch_id for batch_id, proof in proofs.items() if proof is Proof.OURS]
    return ours or [batch_id for batch_id, proof in proofs.items() if proof is Proof.NONE]


def foreign(proofs: Mapping[str, Proof]) -> list[str]:
    """The batches that are not the one, though by the list they could have been."""
    return [batch_id for batch_id, proof in proofs.items() if proof is Proof.FOREIGN]
