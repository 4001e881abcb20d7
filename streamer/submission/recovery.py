"""What came of a create of which nobody knows: looked for in the workspace, and where that cannot tell, asked.

Which batches can be the one is decided in `candidates`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from streamer.api.client import Client
from streamer.api.types import PAGE_LIMIT, Batch
from streamer.clock import Clock
from streamer.errors import (
    ApiError,
    ConfigurationError,
    GatewayError,
    StreamerError,
    SubmissionError,
)
from streamer.requests.spool import read_spool
from streamer.results.block import Block
from streamer.results.framing import MAX_RECORD_BYTES
from streamer.sources.download import Position, download
from streamer.submission.candidates import Proof, can_be, earliest, foreign, in_time, may_be
from streamer.submission.ledger import Planned
from streamer.submission.refusal import cannot_be_listed
from streamer.threads import Threads

log = logging.getLogger("streamer.submission")

STOP, RESEND = "stop", "resend"
SHOWN = 10  # ids in a message

# Seconds before each look: three minutes in all. A batch may take a while to be listed, as it may to be found
# (anthropic-sdk-python#1432), and a list has been seen 75 s late.
PAUSES = (0.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0, 60.0)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A batch of which nobody knows whether it was created, for whoever decides.

    Attributes:
        intent: the batch that was, or is, about to be created.
        candidates: ids of the batches that may be it; none when the list cannot be had.
        reason: why it cannot be decided.
    """

    intent: Planned
    candidates: list[str]
    reason: str

    def __str__(self) -> str:
        when = "already"
        if self.intent.intended_at is not None:
            when = f"at {datetime.fromtimestamp(self.intent.intended_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return (
            f"whether batch {self.intent.number} with its {self.intent.slice.requests:,} requests was created {when} "
            f"cannot be told: {self.reason}"
        )


class Found(NamedTuple):
    """What came of looking for a batch."""

    batch_id: str | None  # None when it was not created
    not_ours: list[str]  # batches that could have been taken for it and are not


OnUnknown = str | Callable[[Unsettled], Awaitable[str]]


class Recovery:
    """Finds the batches that creates with an unknown outcome have made.

    Args:
        client: asks the API.
        directory: where the spools are.
        on_unknown: what to do when the list does not tell.
        clock: what is waited by.
        threads: the thread that reads the spools.
    """

    def __init__(
        self, client: Client, directory: Path, *, on_unknown: OnUnknown, clock: Clock, threads: Threads
    ) -> None:
        self._client = client
        self._directory = directory
        self._on_unknown = on_unknown
        self._clock = clock
        self._threads = threads

    async def made_by(self, intent: Planned, known: Collection[str]) -> Found:
        """The batch that an intent made; none when it made none and may be sent again.

        Args:
            intent: the batch that was about to be created.
            known: ids of batches that it cannot be: the ledger knows them, or somebody said that they are not ours.

        Raises:
            SubmissionError: it cannot be told, and nobody says what to do.
            ConfigurationError: the batch that was named cannot be it.
            AuthenticationError: the key is refused.
            StreamerError: the API does not answer, so that it cannot be told now.
        """
        try:
            found, others = await self._search(intent, known)
        except (ApiError, GatewayError) as error:
            if not cannot_be_listed(error):
                raise
            unlisted = Unsettled(intent, [], f"the batches cannot be listed ({error})")
            return await self._decided(unlisted, known)
        ids = [batch.id for batch in found]
        if len(found) > 1:
            return await self._decided(Unsettled(intent, ids, f"{len(ids)} batches may be it: {_named(ids)}"), known)
        if found and not in_time(found[0], intent):
            late = f"{ids[0]} may be it, but was created at {found[0].created_at:%Y-%m-%d %H:%M:%S} UTC only"
            return await self._decided(Unsettled(intent, ids, late), known)
        if found:
            log.warning("it was created: it is %s", ids[0], extra={"action": "settled", "batch_id": ids[0]})
            return Found(ids[0], others)
        log.warning("it was not created, so it is sent again", extra={"action": "settled"})
        return Found(None, others)

    async def listed_since(self, time: float, known: Collection[str]) -> list[Batch] | None:
        """The batches of the workspace that were created since a time, without those that are known.

        Args:
            time: seconds since 1970, by the server's clock.
            known: ids of the batches that are not wanted.

        Returns:
            The newest first; None where a gateway passes no list on.

        Raises:
            StreamerError: the list cannot be had now.
        """
        found = []
        try:
            async for batch in self._client.list(limit=PAGE_LIMIT, strict=True):
                if batch.created_at is not None and batch.created_at.timestamp() < time:
                    break
                if batch.id not in known:
                    found.append(batch)
        except (ApiError, GatewayError) as error:
            if not cannot_be_listed(error):
                raise
            return None
        return found

    async def made_before(self, planned: Planned, listed: Iterable[Batch], known: Collection[str]) -> Found:
        """Whether a planned batch, of which the ledger knows no create, was created all the same.

        A ledger that was restored from an older copy knows nothing of what was created after it. So what fits is
        never passed over, and never taken unasked either.

        Args:
            planned: the batch, with the window in which it may have been created.
            listed: batches that the ledger does not know.
            known: ids of those that it cannot be.

        Raises:
            SubmissionError: one fits, and nobody says what to do.
            ConfigurationError: the batch that was named cannot be it.
        """
        fitting = [batch for batch in listed if can_be(batch, planned, known)]
        proofs: dict[str, Proof] = {}
        for batch in fitting:
            proofs[batch.id] = await self._proof(batch, planned)
        ids = may_be(proofs)
        if not ids:
            return Found(None, foreign(proofs))
        reason = (
            f"{self._directory} goes on from an earlier run, and since that began a batch that fits was created of "
            f"which it does not know: {_named(ids)}; if the project was restored from an older copy, it is paid for"
        )
        decided = await self._decided(Unsettled(planned, ids, reason), known)
        return Found(decided.batch_id, [*foreign(proofs), *decided.not_ours])

    async def _search(self, intent: Planned, known: Collection[str]) -> tuple[list[Batch], list[str]]:
        """The batches that may be the one of `intent`: none after minutes of looking, the one, or several.

        Also the ids of those that could have been taken for it and are not.
        """
        proofs: dict[str, Proof] = {}
        listed: dict[str, Batch] = {}
        custom_ids: set[str] | None = None
        found: list[str] = []
        for pause in PAUSES:
            if pause:
                await self._clock.sleep(pause)
            async for batch in self._client.list(limit=PAGE_LIMIT, strict=True):
                if batch.created_at is not None and batch.created_at.timestamp() < earliest(intent):
                    break
                if not can_be(batch, intent, known) or proofs.get(batch.id, Proof.NONE) is not Proof.NONE:
                    continue
                if batch.ended and custom_ids is None:
                    custom_ids = await self._custom_ids(intent)
                listed[batch.id] = batch
                proofs[batch.id] = await self._proof(batch, intent, custom_ids)
            if found := may_be(proofs):
                break
        return [listed[batch_id] for batch_id in found], foreign(proofs)

    async def _proof(self, batch: Batch, intent: Planned, custom_ids: Collection[str] | None = None) -> Proof:
        """What the first results of a batch say."""
        if not batch.ended:
            return Proof.NONE
        if custom_ids is None:
            custom_ids = await self._custom_ids(intent)
        try:
            pieces = download(self._client, batch, Position(), max_record_bytes=MAX_RECORD_BYTES)
            async with aclosing(pieces):
                async for piece in pieces:
                    if isinstance(piece, Block):
                        ours = all(record.custom_id in custom_ids for record in piece.records())
                        return Proof.OURS if ours else Proof.FOREIGN
        except StreamerError:  # archived, or not to be had for now: it stays possible
            return Proof.NONE
        return Proof.NONE

    async def _custom_ids(self, intent: Planned) -> set[str]:
        spool = self._directory / intent.spool
        try:
            return await self._threads.run(lambda: {custom_id for custom_id, _ in read_spool(spool, intent.slice)})
        except (OSError, ValueError) as error:
            raise SubmissionError(
                f"the requests of batch {intent.number} cannot be read from {spool} ({error}): run the same command "
                "again with the same request files"
            ) from error

    async def _decided(self, unsettled: Unsettled, known: Collection[str]) -> Found:
        """What somebody decides about a batch: which one it is, or none of those that may be it."""
        decision = self._on_unknown if isinstance(self._on_unknown, str) else await self._on_unknown(unsettled)
        if decision == STOP or (decision in known and decision == self._on_unknown):  # that one was named for another
            raise SubmissionError(
                f"{unsettled}; look at the batches with `streamer list` and `streamer show`, then run the same again "
                "with --on-unknown ID to take that one for it, or with --on-unknown resend if it is none of them"
            )
        if decision == RESEND:
            return Found(None, unsettled.candidates)
        requests = unsettled.intent.slice.requests
        batch = await self._client.retrieve(decision)
        if batch.id in known:
            raise ConfigurationError(f"{batch.id} is another batch of this submission, not the one that is looked for")
        if batch.requests not in (None, requests):
            raise ConfigurationError(
                f"{batch.id} has {batch.requests:,} requests and the one that is looked for {requests:,}"
            )
        return Found(batch.id, [])


def _named(ids: list[str]) -> str:
    return ", ".join(ids[:SHOWN]) + " and more" * (len(ids) > SHOWN)
