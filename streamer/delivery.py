"""One batch, from its results to its writers, until the records prove it complete.

A download that breaks off is begun again; what came before is known by custom_id and not delivered twice. Attempts are
counted against lack of progress, not against the size of the results: as long as each download brings records that no
earlier one did, it goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from random import Random
from typing import TypeVar

import msgspec

from streamer.api.client import Client
from streamer.api.clock import Clock
from streamer.api.errors import (
    ApiError,
    AuthenticationError,
    IncompleteError,
    SinkError,
    StreamerError,
    TransportError,
)
from streamer.api.retry import SPEND_LIMIT_CODES
from streamer.api.types import Batch
from streamer.reconciliation import NAMED, Reconciliation
from streamer.report import BatchReport, Observer, Outcome
from streamer.results.accounting import Tally, Verdict, verify
from streamer.results.block import Block, Reject
from streamer.results.download import Begin, LongPart, Position, download
from streamer.sinks.base import PartWriter, Sink, Writer
from streamer.sinks.rejects import RejectFile

log = logging.getLogger("streamer.delivery")

T = TypeVar("T")

FRUITLESS_DOWNLOADS = 8  # in a row that broke off without a new record, before the batch is given up
CLEAN_DOWNLOADS = 3  # in a row that ended well and yet did not make the batch complete
LONGEST_PAUSE = 60.0  # seconds between two downloads of the same results
SURPLUS = 1000  # records above what the batch can have that are taken, to be counted, before a download is ended
LONGEST_RECORD = 1 << 30  # bytes: hundreds of times what a model can write, so a line that does not end
UNAUTHORIZED = 401  # the key is refused for everything, not for this batch alone


class Persistence:
    """Whether to download again, and when: a plain decision over what the last downloads brought."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._fruitless = 0
        self._clean = 0

    def pause(self, *, progressed: bool, clean: bool) -> float | None:
        """Seconds to wait before the next download; None to give up.

        Args:
            progressed: the last download brought records that no earlier one had.
            clean: it ended as the server meant it to.
        """
        self._fruitless = 0 if progressed else self._fruitless + 1
        self._clean = 0 if progressed else self._clean + clean
        if self._fruitless >= FRUITLESS_DOWNLOADS or self._clean >= CLEAN_DOWNLOADS:
            return None
        return self._random.uniform(0.0, min(LONGEST_PAUSE, 0.5 * 2.0**self._fruitless))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What holds for the delivery of every batch of a run."""

    only: frozenset[str] | None  # result types to deliver; None for all
    max_record_bytes: int  # a longer record is passed on in parts
    rejects: str | None  # template of the reject files; None to keep no undecodable record
    reconciliation: Reconciliation | None = None  # where it is known what was asked for


async def deliver(
    client: Client,
    batch: Batch,
    sinks: Sequence[Sink],
    options: Options,
    *,
    observer: Observer,
    clock: Clock,
    random: Random,
) -> BatchReport:
    """Deliver the records of an ended batch to every sink, and report; only a refused key is raised."""
    report = BatchReport(batch_id=batch.id, outcome=Outcome.STREAMING, expected=batch.request_counts.total)
    observer.started(batch, report)
    begun = clock.monotonic()
    try:
        async with AsyncExitStack() as stack:
            delivery = _Delivery(batch, options, report)
            await delivery.open(sinks, stack)
            if not delivery.already_delivered():
                await delivery.fetch(client, clock, random)
                delivery.reconcile()
                await delivery.commit()
    except AuthenticationError as error:
        report.outcome, report.error = Outcome.FAILED, str(error)
        if error.status == UNAUTHORIZED:
            raise
    except StreamerError as error:
        report.outcome = Outcome.INCOMPLETE if isinstance(error, IncompleteError) else Outcome.FAILED
        report.error = str(error)
    except OSError as error:  # even importing a decoder needs a descriptor
        report.outcome = Outcome.FAILED
        report.error = f"the system refused what delivering needs: {error.strerror or error}; run the same again"
    finally:
        report.seconds = clock.monotonic() - begun
    observer.finished(report)
    return report


async def _guard(doing: str, sink: object, work: Awaitable[T]) -> T:
    """Await what a sink does; whatever it raises becomes a `SinkError` that says which sink it was."""
    try:
        return await work
    except StreamerError:
        raise
    except Exception as error:
        raise SinkError(f"{type(sink).__name__} failed while {doing}: {type(error).__name__}: {error}") from error


def _passing(error: TransportError | ApiError) -> bool:
    """Whether the same request may well succeed later, though the client has given up repeating it for now."""
    if isinstance(error, TransportError):
        return True
    return (error.status in {408, 429} or error.status >= 500) and error.error_code not in SPEND_LIMIT_CODES


async def _close(writer: Writer) -> None:
    await _guard("closing", writer, writer.close())


class _Delivery:
    """The writers of one batch and what has come for them."""

    def __init__(self, batch: Batch, options: Options, report: BatchReport) -> None:
        self._batch = batch
        self._options = options
        self._report = report
        self._tally = Tally()
        self._writers: list[Writer] = []
        self._open: list[Writer] = []  # those that no earlier run committed
        self._rejects = RejectFile(options.rejects, batch.id)
        self._takers: list[PartWriter] = []  # of the long record that is under way
        self._long_bytes = 0  # of it, so far
        self._position = Position()

    async def open(self, sinks: Sequence[Sink], stack: AsyncExitStack) -> None:
        """Open a writer for each sink; `stack` closes them, last opened first."""
        stack.push_async_callback(self._rejects.close)
        for sink in sinks:
            writer = await _guard("opening", sink, sink.open(self._batch))
            stack.push_async_callback(_close, writer)
            self._writers.append(writer)
            self._report.destinations.append(writer.destination)

    def already_delivered(self) -> bool:
        """Whether earlier runs delivered the batch to every sink.

        Raises:
            IncompleteError: a sink holds the batch as final, but not all of it.
        """
        for writer in self._writers:
            verdict = self._verdict(writer)
            if writer.committed and not verdict.complete:
                raise IncompleteError(
                    f"{writer.destination} is there already but does not hold the whole batch: {verdict}; "
                    "move it away to have it written anew",
                    expected=verdict.expected,
                    received=verdict.received,
                )
        self._open = [writer for writer in self._writers if not writer.committed]
        if self._open or not self._writers:
            return False
        self._count()
        self.reconcile()
        self._report.outcome = Outcome.ALREADY_DELIVERED
        return True

    async def fetch(self, client: Client, clock: Clock, random: Random) -> None:
        """Download until every writer has every record.

        Raises:
            IncompleteError: the downloads stopped bringing new records before that.
            StreamerError: the results cannot be had at all, or a sink failed.
        """
        persistence = Persistence(random)
        while True:
            before = len(self._tally)
            fault: StreamerError | None = None
            self._report.downloads += 1
            try:
                await self._download(client)
            except (TransportError, ApiError) as error:
                if not _passing(error):
                    raise
                fault = error
            self._count()
            verdict = next((v for v in map(self._verdict, self._open) if not v.complete), None)
            if verdict is None:
                return
            progressed = len(self._tally) > before
            pause = persistence.pause(progressed=progressed, clean=fault is None)
            extra = {"action": "download_again", "batch_id": self._batch.id}
            log.warning("%s: %s%s", self._batch.id, verdict, f", because {fault}" if fault else "", extra=extra)
            if pause is None:
                raise self._give_up(verdict, fault)
            await clock.sleep(pause)

    def _give_up(self, verdict: Verdict, fault: StreamerError | None) -> IncompleteError:
        message = f"{verdict} in {self._report.downloads:,} downloads"
        if self._report.rejected:
            message += f"; {self._report.rejected:,} could not be decoded and are in {self._rejects.path}"
        message += f"; the last one failed: {fault}" if fault is not None else ""
        message += "; what came is kept, run the same command again to go on"
        return IncompleteError(message, expected=verdict.expected, received=verdict.received)

    def reconcile(self) -> None:
        """Hold the custom_ids that came against those that were asked for, where that is known.

        Raises:
            IncompleteError: records came that nobody asked for.
        """
        expected = self._options.reconciliation
        if expected is None:
            return
        ids = self._tally.ids.keys() | {custom_id for writer in self._writers for custom_id in writer.held.ids}
        expected.answered(ids)
        if unknown := sorted(expected.unknown(ids)):
            self._report.unknown_ids = unknown[:NAMED]
            raise IncompleteError(
                f"{len(unknown):,} of its {len(ids):,} records have a custom_id that is not among the requests, "
                f"the first one {unknown[0]!r}; give the requests it was made from",
                expected=self._report.expected,
                received=len(ids),
            )

    async def commit(self) -> None:
        """Make the batch final in every sink."""
        for writer in self._open:
            await _guard("committing", writer, writer.commit())
        if not self._report.rejected:
            await self._rejects.discard()
        self._report.outcome = Outcome.DELIVERED

    async def _download(self, client: Client) -> None:
        try:
            pieces = download(client, self._batch, self._position, max_record_bytes=self._options.max_record_bytes)
            async with aclosing(pieces):
                async for piece in pieces:
                    match piece:
                        case Block():
                            await self._take(piece)
                        case Begin():
                            await self._begin(piece)
                        case Reject():
                            await self._reject(piece)
                        case LongPart():
                            await self._take_part(piece)
                    self._report.bytes += piece.size
                    self._report.distinct = len(self._tally)
                    self._check_bounds()
        finally:
            await self._end_parts(keep=[])

    def _check_bounds(self) -> None:
        """End a download that would fill every disk; what is beyond these bounds can never make a batch complete.

        Raises:
            IncompleteError: it brings more than any results can be.
        """
        most = self._report.expected + SURPLUS
        too_many = {
            "records": len(self._tally),
            "records that had come before": self._tally.duplicates,
            "records that could not be decoded": self._report.rejected,
        }
        what = next((f"{count:,} {name}" for name, count in too_many.items() if count > most), "")
        if self._long_bytes > LONGEST_RECORD:
            what = f"{self._long_bytes:,} bytes of one record"
        if what:
            raise IncompleteError(
                f"{what} came and no end, but the batch has {self._report.expected:,} records; the download was ended",
                expected=self._report.expected,
                received=len(self._tally),
            )

    async def _begin(self, begin: Begin) -> None:
        if begin.offset == 0:
            self._tally.begin_pass()
            await self._rejects.begin_pass()
            self._report.rejected = 0

    async def _take(self, block: Block) -> None:
        fresh = self._tally.add(block.heads)
        if fresh is not None:
            block = block.pick(fresh)
        only = self._options.only
        if only is not None:
            block = block.pick([head.result.type in only for head in block.heads])
        for writer in self._open:
            held = writer.held.ids
            wanted = block.pick([head.custom_id not in held for head in block.heads]) if held else block
            if len(wanted):
                await _guard(f"writing {self._batch.id}", writer, writer.write(wanted))

    async def _take_part(self, part: LongPart) -> None:
        """Pass a part of a record that is too long to hold to writers that take it so."""
        self._long_bytes = part.size if part.first else self._long_bytes + part.size
        if part.first:
            self._takers = [writer for writer in self._open if isinstance(writer, PartWriter)]
        if part.custom_id is not None and part.custom_id in self._tally.ids:
            await self._end_parts(keep=[])  # it has been delivered
        for writer in self._takers:
            await _guard(f"writing {self._batch.id}", writer, writer.write_part(part.data))
        if not part.last:
            return
        if part.head is None:
            await self._reject(part.reject)
        elif whole := [type(w).__name__ for w in self._open if not isinstance(w, PartWriter)]:
            reason = f"longer than max_record_bytes, and {whole[0]} takes whole records only"
            await self._reject(msgspec.structs.replace(part.reject, reason=reason))
        else:
            head, only = part.head, self._options.only
            fresh = self._tally.add([head]) is None
            wanted = fresh and (only is None or head.result.type in only)
            await self._end_parts(keep=[w for w in self._takers if wanted and head.custom_id not in w.held.ids])
        await self._end_parts(keep=[])

    async def _end_parts(self, keep: Sequence[PartWriter]) -> None:
        takers, self._takers = self._takers, []
        for writer in takers:
            await _guard(f"writing {self._batch.id}", writer, writer.end_parts(keep=writer in keep))

    async def _reject(self, reject: Reject) -> None:
        self._report.rejected += 1
        await self._rejects.add(reject)

    def _count(self) -> None:
        """Bring the report up to date."""
        types = self._tally.types_with(self._writers[0].held) if self._writers else self._tally.types
        self._report.records = dict(types)
        self._report.distinct = sum(types.values())
        self._report.errors = dict(self._tally.errors)
        self._report.usage = self._tally.usage
        self._report.duplicates = self._tally.duplicates
        self._report.duplicate_ids = self._tally.duplicate_ids

    def _verdict(self, writer: Writer) -> Verdict:
        types = self._tally.types_with(writer.held)
        return verify(self._batch.request_counts, types, self._options.only)
