"""One batch, from its results to its writers, until the records prove it complete.

A download that breaks off is begun again (`redownloads` says whether and when); what came before is known by custom_id
and not delivered twice (`intake`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from random import Random

from streamer.api.client import Client
from streamer.api.types import Batch
from streamer.clock import Clock
from streamer.delivery.intake import Intake, TooMuchError
from streamer.delivery.options import DeliveryOptions
from streamer.delivery.reconciliation import Reconciliation
from streamer.delivery.recounting import are_doubtful, recounted
from streamer.delivery.redownloads import RedownloadPolicy, may_pass
from streamer.disk.failures import lacks_files
from streamer.errors import (
    ApiError,
    AuthenticationError,
    IncompleteError,
    StreamerError,
    TransportError,
)
from streamer.observer import Observer
from streamer.report import BatchReport, Outcome
from streamer.results.accounting import NAMED, Tally, Verdict, verify
from streamer.sinks.base import Sink, Writer
from streamer.sinks.guard import close_guarded, guarded, open_guarded
from streamer.sinks.rejects import RejectFile
from streamer.sources.budget import BUDGET, ByteBudget
from streamer.sources.download import COPIES, Position, download
from streamer.tasks import end_if_asked

log = logging.getLogger("streamer.delivery")

UNAUTHORIZED = 401  # the key is refused for everything, not for this batch alone
FILES_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # seconds between the tries to open files, when too many are open


class Deliverer:
    """Delivers batches of one run, any number at once.

    Args:
        client: downloads the results.
        sinks: each gets every record.
        options: how.
        reconciliation: what was asked for, where that is known.
        observer: is told what happens while it happens.
        clock: where time comes from.
        random: where jitter comes from.
    """

    def __init__(
        self,
        client: Client,
        sinks: Sequence[Sink],
        options: DeliveryOptions,
        *,
        reconciliation: Reconciliation | None = None,
        observer: Observer,
        clock: Clock,
        random: Random,
    ) -> None:
        self._client = client
        self._sinks = sinks
        self._options = options
        self._reconciliation = reconciliation
        self._observer = observer
        self._clock = clock
        self._random = random
        self._budget = ByteBudget(BUDGET, COPIES * options.max_record_bytes)

    async def deliver(self, batch: Batch) -> BatchReport:
        """Deliver the records of an ended batch to every sink, and report; only a refused key is raised."""
        report = BatchReport(batch_id=batch.id, outcome=Outcome.STREAMING, expected=batch.requests or 0)
        self._observer.started(batch, report)
        begun = self._clock.monotonic()
        try:
            async with AsyncExitStack() as stack:
                delivery = _Delivery(batch, self._options, report, self._reconciliation, self._client, self._clock)
                await delivery.open(self._sinks, stack)
                if not await delivery.already_delivered():
                    await delivery.fetch(self._random, self._budget)
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
            report.seconds = self._clock.monotonic() - begun
        self._observer.finished(report)
        return report


class _Delivery:
    """The writers of one batch and what has come for them."""

    def __init__(
        self,
        batch: Batch,
        options: DeliveryOptions,
        report: BatchReport,
        reconciliation: Reconciliation | None,
        client: Client,
        clock: Clock,
    ) -> None:
        self._batch = batch
        self._client = client
        self._clock = clock
        self._reconciliation = reconciliation
        self._options = options
        self._report = report
        self._tally = Tally()
        self._writers: list[Writer] = []
        self._open: list[Writer] = []  # those that no earlier run committed
        self._rejects = RejectFile(options.rejects, batch.id)
        self._position = Position()

    async def open(self, sinks: Sequence[Sink], stack: AsyncExitStack) -> None:
        """Open a writer for each sink; `stack` closes them, last opened first.

        That too many files are open passes as other batches are done with, so it is waited for.
        """
        for pause in (*FILES_PAUSES, None):
            try:
                await self._open_all(sinks, stack)
            except (StreamerError, OSError) as error:
                if pause is None or not lacks_files(error):
                    raise
            else:
                return
            await stack.aclose()  # what is open is given back meanwhile
            self._writers.clear()
            self._report.destinations.clear()
            await self._clock.sleep(pause)

    async def _open_all(self, sinks: Sequence[Sink], stack: AsyncExitStack) -> None:
        stack.push_async_callback(self._rejects.close)
        for sink in sinks:
            writer = await open_guarded(sink, self._batch)
            stack.push_async_callback(close_guarded, writer)
            self._writers.append(writer)
            self._report.destinations.append(str(writer.destination))

    async def already_delivered(self) -> bool:
        """Whether earlier runs delivered the batch to every sink.

        Raises:
            IncompleteError: a sink holds the batch as final, but not all of it.
        """
        for writer in self._writers:
            if not writer.committed:
                continue
            verdict = await self._settled_verdict(writer.held)
            if not verdict.complete:
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

    async def fetch(self, random: Random, budget: ByteBudget) -> None:
        """Download until every writer has every record.

        Raises:
            IncompleteError: the downloads stopped bringing new records before that.
            StreamerError: the results cannot be had at all, or a sink failed.
        """
        redownloads = RedownloadPolicy(random)
        intake = Intake(
            self._open,
            only=self._options.only,
            tally=self._tally,
            rejects=self._rejects,
            report=self._report,
        )
        while True:
            before = len(self._tally)
            fault: StreamerError | None = None
            self._report.downloads += 1
            try:
                await self._download(intake, budget)
            except (TransportError, ApiError) as error:
                if not may_pass(error):
                    raise
                fault = error
            except TooMuchError:
                counts = self._batch.request_counts
                await self._settled_verdict(self._tally)
                if self._batch.request_counts == counts:
                    raise
            self._count()
            # Of what came alone: what a sink holds from before is only believed when the results have it, too.
            verdict = self._verdict(self._tally) if fault else await self._settled_verdict(self._tally)
            self._refuse_strangers(whole=verdict.complete)
            if verdict.complete:
                return
            progressed = len(self._tally) > before
            pause = redownloads.pause(progressed=progressed, clean=fault is None)
            extra = {"action": "download_again", "batch_id": self._batch.id}
            log.warning("%s: %s%s", self._batch.id, verdict, f", because {fault}" if fault else "", extra=extra)
            if pause is None:
                raise self._give_up(verdict, fault)
            await self._clock.sleep(pause)

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
        expected = self._reconciliation
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
            await guarded("committing", writer, writer.commit)
        if not self._report.rejected:
            await self._rejects.discard()
        self._report.outcome = Outcome.DELIVERED
        extra = {"action": "delivered", "batch_id": self._batch.id}
        log.info("%s is delivered, records: %s", self._batch.id, f"{len(self._tally):,}", extra=extra)

    async def _download(self, intake: Intake, budget: ByteBudget) -> None:
        """Ask for the results once and hand on what comes."""
        options = self._options
        pieces = download(
            self._client,
            self._batch,
            self._position,
            max_record_bytes=options.max_record_bytes,
            usage=options.usage,
            budget=budget,
        )
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    await intake.take(piece)
                    del piece  # it may be long, and the next one is waited for
                    end_if_asked()
        finally:
            await intake.end()

    def _count(self) -> None:
        """Bring the report up to date."""
        types = self._tally.types_with(self._writers[0].held) if self._writers else self._tally.types
        self._report.records = dict(types)
        self._report.distinct = sum(types.values())
        self._report.errors = dict(self._tally.errors)
        self._report.error_messages = dict(self._tally.messages)
        self._report.usage = self._tally.usage
        self._report.duplicates = self._tally.duplicates
        self._report.duplicate_ids = self._tally.duplicate_ids

    def _verdict(self, tally: Tally) -> Verdict:
        return verify(self._batch.request_counts, tally.types, self._options.only)

    async def _settled_verdict(self, tally: Tally) -> Verdict:
        """The verdict, once counts that cannot be right were asked for again."""
        verdict = self._verdict(tally)
        if not are_doubtful(self._batch, verdict):
            return verdict

        def doubtful(batch: Batch) -> bool:
            return are_doubtful(batch, verify(batch.request_counts, tally.types, self._options.only))

        self._batch = await recounted(self._client, self._batch, doubtful, self._clock)
        self._report.expected = self._batch.requests or 0
        return self._verdict(tally)

    def _refuse_strangers(self, *, whole: bool) -> None:
        """See that what the sinks hold from earlier runs is of this batch.

        Raises:
            IncompleteError: a sink holds records with other types than the results, or that the results do not have.
        """
        for writer in self._open:
            held, came = writer.held.ids, self._tally.ids
            if strangers := self._tally.strangers(writer.held, whole=whole):
                first = strangers[0]
                raise IncompleteError(
                    f"{writer.destination} holds {len(strangers):,} records that are not this batch's, of "
                    f"{len(held):,} from earlier runs: the first one, {first!r}, is {held[first]} there and "
                    f"{came.get(first, 'missing')} in the results; move what it holds away (of a file, its NAME.part) "
                    f"and run the same again to have the batch fetched anew",
                    expected=self._report.expected,
                    received=len(came),
                )
