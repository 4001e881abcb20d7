"""Reading: the bytes of results, fed in pieces, become blocks of records, parts of long records, and rejects.

The one place where that is decided, for whatever the bytes come from: a body of the API's or a file. Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from streamer.results.block import Block, Reject, read_lines
from streamer.results.framing import MAX_RECORD_BYTES, Framer, Lines, Part
from streamer.results.longrecord import LongRecordReader
from streamer.results.record import Head, HeadResult


class LongPart(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of a record that is too long to be held whole, and what is known of the record so far.

    Attributes:
        data: the next bytes of the record; empty in the last part.
        offset: where the record begins in the body, in bytes.
        length: bytes of the record that have passed, those of this part included.
        first: whether the record begins with this part.
        last: whether it ends with this one.
        terminated: False when it ended because the body did, with no newline.
        custom_id: the record's, as soon as it has passed.
        head: with the last part, if it is a record.
        reason: with the last part, why it is no record; else empty.
    """

    data: bytes
    offset: int
    length: int
    first: bool
    last: bool
    terminated: bool = True
    custom_id: str | None = None
    head: Head | None = None
    reason: str = ""

    @property
    def size(self) -> int:
        """Bytes of this part."""
        return len(self.data)

    @property
    def ids(self) -> list[str]:
        """The custom_id of the record that ends here, as a block has those of its records."""
        return [] if self.head is None else [self.head.custom_id]

    @property
    def results(self) -> list[HeadResult]:
        """What is known of its result, likewise."""
        return [] if self.head is None else [self.head.result]

    @property
    def reject(self) -> Reject:
        """The record as a reject, whose bytes have passed."""
        return Reject(self.offset, self.length, self.reason, b"", self.terminated)


Piece = Block | LongPart | Reject


class RecordReader:
    r"""Reads the bytes of one body, which are fed in pieces of any size.

    Args:
        batch_id: the batch that they are the results of.
        max_record_bytes: a record longer than this comes as `LongPart`s and is never held whole.
        usage: read the usage of each record too, and so all of it.
        locate: say in each block where its records begin in the body.
        start: where in the body the first byte that will be fed is, when it does not begin at its beginning.

    Attributes:
        taken: where in the body the last line ends of which every piece was taken. Its newline comes after that.

    >>> reader = RecordReader("msgbatch_1")
    >>> [block] = reader.feed(b'{"custom_id":"a","result":{"type":"expired"}}\n{"custom')
    >>> block.ids
    ['a']
    >>> [reject] = reader.close()
    >>> reject.raw, reject.terminated
    (b'{"custom', False)
    """

    def __init__(
        self,
        batch_id: str = "",
        *,
        max_record_bytes: int = MAX_RECORD_BYTES,
        usage: bool = True,
        locate: bool = False,
        start: int = 0,
    ) -> None:
        self.taken = start
        self._batch_id = batch_id
        self._usage = usage
        self._locate = locate
        self._framer = Framer(max_record_bytes, start=start)
        self._long: LongRecordReader | None = None  # of the long record under way
        self._begin = self._length = 0  # of that

    @property
    def held(self) -> int:
        """Bytes that are held of the record under way."""
        return self._framer.held

    def feed(self, data: bytes) -> Iterator[Piece]:
        """What `data`, the next bytes, completes."""
        return self._read(self._framer.feed(data))  # not `data` itself: it is not held while a piece is waited for

    def close(self) -> Iterator[Piece]:
        """What is left when the body has ended; only here may a piece not be `terminated`."""
        return self._read(self._framer.close())

    def _read(self, framed: Iterable[Lines | Part]) -> Iterator[Piece]:
        for cut in framed:
            if isinstance(cut, Part):
                yield self._part(cut)
                continue
            block, rejects = read_lines(self._batch_id, cut, usage=self._usage, locate=self._locate)
            if block is not None:
                yield block
            yield from rejects
            # Before the newline, for it may be ours: none came where objects follow each other. One that did comes
            # again where reading goes on from here, and is a blank line.
            self.taken = cut.offset + len(cut.data) - 1

    def _part(self, part: Part) -> LongPart:
        first = self._long is None
        if self._long is None:
            self._long, self._begin, self._length = LongRecordReader(), part.offset, 0
        self._long.feed(part.data)
        self._length += len(part.data)
        head, reason = self._long.close() if part.last else (None, "")
        custom_id = self._long.custom_id
        if part.last:
            self._long = None
        return LongPart(
            data=part.data,
            offset=self._begin,
            length=self._length,
            first=first,
            last=part.last,
            terminated=part.terminated,
            custom_id=custom_id,
            head=head,
            reason=reason,
        )


def rejected(piece: Piece) -> Reject | None:
    """The reject that `piece` is, or that ends with it; None while all is well."""
    if isinstance(piece, Reject):
        return piece
    if isinstance(piece, LongPart) and piece.last and piece.head is None:
        return piece.reject
    return None
