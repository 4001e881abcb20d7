"""Looking in the workspace for the batch that a create with an unknown outcome may have made."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import aclosing
from pathlib import Path

from streamer.api.client import Client
from streamer.api.types import PAGE_LIMIT, Batch
from streamer.clock import Clock
from streamer.errors import StreamerError, SubmissionError
from streamer.requests.spool import read_spool
from streamer.results.block import Block
from streamer.results.framing import MAX_RECORD_BYTES
from streamer.sources.download import Position, download
from streamer.submission.ledger import Planned
from streamer.submission.settlement import Proof, can_be, earliest, may_be
from streamer.threads import Threads

# Seconds before each look: a batch may take a while to be listed, as it may to be found (anthropic-sdk-python#1432).
PAUSES = (0.0, 2.0, 4.0, 8.0, 16.0, 30.0)


async def search(
    client: Client, intent: Planned, spool: Path, known: Collection[str], *, clock: Clock, threads: Threads
) -> list[Batch]:
    """The batches that may be the one of `intent`: none after a minute of looking, the one, or several.

    Args:
        client: asks the API.
        intent: the batch that was about to be created.
        spool: the file with its requests.
        known: ids of the batches that the ledger knows.
        clock: what is waited by.
        threads: the thread that reads the spool.

    Raises:
        SubmissionError: the spool cannot be read.
        StreamerError: the list cannot be had.
    """
    custom_ids: set[str] | None = None
    proofs: dict[str, Proof] = {}
    listed: dict[str, Batch] = {}
    for pause in PAUSES:
        if pause:
            await clock.sleep(pause)
        async for batch in client.list(limit=PAGE_LIMIT):
            if batch.created_at is not None and batch.created_at.timestamp() < earliest(intent):
                break
            if not can_be(batch, intent, known) or proofs.get(batch.id, Proof.NONE) is not Proof.NONE:
                continue
            if batch.ended and custom_ids is None:
                custom_ids = await threads.run(lambda: _custom_ids(intent, spool))
            listed[batch.id] = batch
            proofs[batch.id] = await _proof(client, batch, custom_ids or set())
        if found := may_be(proofs):
            return [listed[batch_id] for batch_id in found]
    return []


async def _proof(client: Client, batch: Batch, custom_ids: Collection[str]) -> Proof:
    """What the first results of a batch say."""
    if not batch.ended:
        return Proof.NONE
    try:
        async with aclosing(download(client, batch, Position(), max_record_bytes=MAX_RECORD_BYTES)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Block):
                    ours = all(record.custom_id in custom_ids for record in piece.records())
                    return Proof.OURS if ours else Proof.FOREIGN
    except StreamerError:  # archived, or not to be had for now: it stays possible
        return Proof.NONE
    return Proof.NONE


def _custom_ids(intent: Planned, spool: Path) -> set[str]:
    try:
        return {custom_id for custom_id, _ in read_spool(spool, intent.slice)}
    except (OSError, ValueError) as error:
        raise SubmissionError(
            f"the requests of batch {intent.number} cannot be read from {spool} ({error}): run the same command again "
            "with the same request files"
        ) from error
