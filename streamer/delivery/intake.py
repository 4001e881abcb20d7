"""What a download brings, handed to the writers of one batch: each gets the records that it lacks, each record once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import msgspec

from streamer.api.types import ResultType
from streamer.defaults import MAX_REQUESTS
from streamer.errors import IncompleteError
from streamer.report import BatchReport
from streamer.results.accounting import Tally
from streamer.results.block import Block, Reject
from streamer.results.reader import LongPart, Piece
from streamer.sinks.base import PartWriter, Writer
from streamer.sinks.guard import guarded
from streamer.sinks.rejects import RejectFile
from streamer.sources.download import Begin

SURPLUS = 1000  # records above what the batch can have that are taken, to be counted, before a download is ended
LONGEST_RECORD = 1 << 30  # bytes: hundreds of times what a model can write, so a line that does not end


class TooMuchError(IncompleteError):
    """A download brings more than any results of its batch can be."""


class Intake:
    """Takes the pieces of every download of one batch.

    Args:
        writers: those that are not committed.
        only: the result types to deliver; None for all.
        tally: counts what comes.
        rejects: keeps what is no record.
        report: is kept up to date: bytes, records, rejects.
    """

    def __init__(
        self,
        writers: Sequence[Writer],
        *,
        only: Collection[ResultType] | None,
        tally: Tally,
        rejects: RejectFile,
        report: BatchReport,
    ) -> None:
        self._writers = writers
        self._only = only
        self._tally = tally
        self._rejects = rejects
        self._report = report
        report.usage = tally.usage  # the same object, and so always up to date
        self._doing = f"writing {report.batch_id}"
        self._takers: list[PartWriter] = []  # of the long record that is under way
        self._long_bytes = 0  # of it, so far
        self._known = False  # whether it has been delivered, by the custom_id that came first in it

    async def take(self, piece: Begin | Piece) -> None:
        """Take the next piece of a download.

        Raises:
            TooMuchError: the download brings more than any results can be.
            SinkError: a writer failed, or the rejects could not be written.
        """
        self._report.bytes += piece.size  # before a slow sink is waited for: a run that looks hung gets killed
        match piece:
            case Block():
                await self._take_block(piece)
            case Begin():
                await self._begin(piece)
            case Reject():
                await self._reject(piece)
            case LongPart():
                await self._take_part(piece)
        self._report.distinct = len(self._tally)
        self._report.records = dict(self._tally.types)
        self._check_bounds()

    async def end(self) -> None:
        """The download is over, well or not: forget a long record that did not come whole."""
        await self._end_parts(keep=[])

    async def _begin(self, begin: Begin) -> None:
        if begin.offset == 0:
            self._tally.begin_pass()
            await self._rejects.begin_pass()
            self._report.rejected = 0

    async def _take_block(self, block: Block) -> None:
        fresh = self._tally.add(block.ids, block.results)
        if fresh is not None:
            block = block.pick(fresh)
        only = self._only
        if only is not None:
            block = block.pick([kind in only for kind in block.types])
        for writer in self._writers:
            held = writer.held.ids
            wanted = block.pick([custom_id not in held for custom_id in block.ids]) if held else block
            if len(wanted):
                await guarded(self._doing, writer, partial(writer.write, wanted))

    async def _take_part(self, part: LongPart) -> None:
        """Pass a part of a record that is too long to hold to writers that take it so."""
        self._long_bytes = part.size if part.first else self._long_bytes + part.size
        if part.first:
            self._takers, self._known = [], False
        if part.custom_id is not None and part.custom_id in self._tally.ids:
            await self._end_parts(keep=[])  # those that took parts of it; it has been delivered
            self._known = True
        elif part.first:
            self._takers = [writer for writer in self._writers if isinstance(writer, PartWriter)]
        for writer in self._takers:
            await guarded(self._doing, writer, partial(writer.write_part, part.data))
        if not part.last:
            return
        if part.head is None:
            await self._reject(part.reject)
        elif whole := [type(w).__name__ for w in self._writers if not isinstance(w, PartWriter)]:
            reason = f"longer than max_record_bytes, and {whole[0]} takes whole records only"
            await self._reject(msgspec.structs.replace(part.reject, reason=reason))
        elif self._known and part.head.custom_id not in self._tally.ids:
            await self._reject(msgspec.structs.replace(part.reject, reason="it has two custom_ids"))
        else:
            head, only = part.head, self._only
            fresh = self._tally.add([head.custom_id], [head.result]) is None
            wanted = fresh and (only is None or head.result.type in only)
            await self._end_parts(keep=[w for w in self._takers if wanted and head.custom_id not in w.held.ids])
        await self._end_parts(keep=[])

    async def _end_parts(self, keep: Sequence[PartWriter]) -> None:
        takers, self._takers = self._takers, []
        for writer in takers:
            await guarded(self._doing, writer, partial(writer.end_parts, keep=writer in keep))

    async def _reject(self, reject: Reject) -> None:
        self._report.rejected += 1
        await self._rejects.add(reject)

    def _check_bounds(self) -> None:
        """End a download that would fill every disk; what is beyond these bounds can never make a batch complete.

        Raises:
            TooMuchError: it brings more than any results can be.
        """
        most = min(self._report.expected or MAX_REQUESTS, MAX_REQUESTS) + SURPLUS  # 0: the server has not counted
        too_many = {
            "records": len(self._tally),
            "records that had come before": self._tally.duplicates,
            "records that could not be decoded": self._report.rejected,
        }
        what = next((f"{count:,} {name}" for name, count in too_many.items() if count > most), "")
        if self._long_bytes > LONGEST_RECORD:
            what = f"{self._long_bytes:,} bytes of one record"
        if what:
            known = 0 < self._report.expected <= MAX_REQUESTS
            has = f"the batch has {self._report.expected:,}" if known else f"a batch has at most {MAX_REQUESTS:,}"
            raise TooMuchError(
                f"{what} came and no end, but {has} records; the download was ended",
                expected=self._report.expected,
                received=len(self._tally),
            )
