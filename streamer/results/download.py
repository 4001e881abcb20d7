"""One request for a batch's results: bytes as they arrive, decoded and framed into blocks of whole records."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.api.errors import TransportError
from streamer.results import encoding
from streamer.results.block import Block, Reject, read_lines
from streamer.results.framing import Framer, Lines, Part
from streamer.results.longrecord import LongRecordReader

if TYPE_CHECKING:
    from streamer.api.client import Client
    from streamer.api.types import Batch
    from streamer.results.record import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class LongPart:
    """A piece of a record that is too long to be held whole, and what is known of the record so far."""

    data: bytes
    first: bool
    last: bool
    custom_id: str | None  # as soon as it has passed
    head: Head | None  # with the last part, if it is a record
    reject: Reject  # with the last part: the record as a reject, should it be one; its bytes have passed

    @property
    def size(self) -> int:
        """Bytes of this part."""
        return len(self.data)


async def download(
    client: Client, batch: Batch, *, max_record_bytes: int
) -> AsyncGenerator[Block | Reject | LongPart, None]:
    """Ask for the results of an ended batch once, and yield them as they arrive, in the server's order.

    Args:
        client: sends the request.
        batch: the batch, ended, with its `results_url`.
        max_record_bytes: a record longer than this comes as `LongPart`s and is never held whole.

    Raises:
        TransportError: the body broke off, stalled or was cut; records yielded before that are whole.
        ResultsError: what came is not results, or is encoded in a way that was not asked for.
        ApiError: the API refused.
    """
    async with client.results(batch, accept_encoding=encoding.accept_encoding()) as body:
        decoder = encoding.decoder(body.headers.get("Content-Encoding"))
        framer = Framer(max_record_bytes)
        reader = _Reader(batch.id)
        async for raw in body:
            for data in decoder.feed(raw):
                for framed in framer.feed(data):
                    for piece in reader.read(framed):
                        yield piece
        decoder.finish()
        for framed in framer.close():
            for piece in reader.read(framed):
                yield piece


class _Reader:
    """Turns what the framer cuts into blocks, rejects and parts."""

    def __init__(self, batch_id: str) -> None:
        self._batch_id = batch_id
        self._long: LongRecordReader | None = None
        self._begin = 0  # of the long record, in the decoded body

    def read(self, framed: Lines | Part) -> Iterator[Block | Reject | LongPart]:
        if isinstance(framed, Part):
            yield self._part(framed)
            return
        block, rejects = read_lines(self._batch_id, framed)
        if block is not None:
            yield block
        for reject in rejects:
            if not reject.terminated:
                raise _cut(reject.offset + reject.length)
            yield reject

    def _part(self, part: Part) -> LongPart:
        first = self._long is None
        if self._long is None:
            self._long, self._begin = LongRecordReader(), part.offset
        self._long.feed(part.data)
        end = part.offset + len(part.data)
        head, reason = self._long.close() if part.last else (None, "")
        if part.last and head is None and not part.terminated:
            raise _cut(end)
        custom_id = self._long.custom_id
        if part.last:
            self._long = None
        return LongPart(
            data=part.data,
            first=first,
            last=part.last,
            custom_id=custom_id,
            head=head,
            reject=Reject(self._begin, end - self._begin, reason, b""),
        )


def _cut(received: int) -> TransportError:
    """A body that ended in the middle of a record has been cut, however cleanly it ended."""
    return TransportError(f"the results broke off in the middle of a record, after {received:,} bytes")
