"""The unit that flows: a block of whole records.

Python pays per object, so what moves through the pipeline is not records but blocks: bytes that hold whole
records, each ended by one newline, with the heads of those records decoded once. `read_lines` makes a block of
framed lines, and sets aside what is no record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import accumulate, compress, pairwise
from operator import itemgetter

import msgspec

from streamer.api.types import ResultType
from streamer.results.framing import SPACE, Lines, seams
from streamer.results.record import HEAD, Head, HeadResult, Record, read_head
from streamer.results.sniffing import sniff


class Block(msgspec.Struct, frozen=True, gc=False):
    r"""Whole records of one batch.

    Attributes:
        batch_id: the batch they belong to.
        data: the records' own bytes, each ended by exactly one ``\n``.
        ids: the custom_id of each record, in the order of `data`.
        results: what is known of the result of each: its type at least.
        offsets: where each begins in the body, in bytes; None unless that was asked for.
    """

    batch_id: str
    data: bytes
    ids: list[str]
    results: list[HeadResult]
    offsets: list[int] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def types(self) -> list[ResultType]:
        """The type of each record, in the order of `data`."""
        return [result.type for result in self.results]

    def records(self) -> Iterator[Record]:
        """The records as lazy views, in order."""
        for custom_id, result, line in zip(self.ids, self.results, BytesIO(self.data), strict=True):
            yield Record(self.batch_id, custom_id, result.type, line[:-1])

    @property
    def size(self) -> int:
        """Bytes of `data`."""
        return len(self.data)

    def pick(self, wanted: Sequence[bool]) -> Block:
        """The block of those records that are `wanted`, one answer for each; the block itself when all are."""
        if all(wanted):
            return self
        data = b"".join(compress(BytesIO(self.data), wanted))
        offsets = None if self.offsets is None else list(compress(self.offsets, wanted))
        ids, results = list(compress(self.ids, wanted)), list(compress(self.results, wanted))
        return Block(self.batch_id, data, ids, results, offsets)


class Reject(msgspec.Struct, frozen=True, gc=False):
    """Bytes where a record should be that are none: never dropped, always reported.

    Attributes:
        offset: where they begin in the decoded body, in bytes.
        size: how many they are.
        reason: why they are no record, for people, e.g. "Object missing required field `custom_id`".
        raw: the bytes as they came, without white space around them; empty when they are too many to hold.
        terminated: False when the body ended right after it, with no newline: then it is most likely a record
            that was cut in the middle, and another download will bring it whole.
    """

    offset: int
    size: int
    reason: str
    raw: bytes
    terminated: bool = True


def read_lines(
    batch_id: str, lines: Lines, *, usage: bool = True, locate: bool = False
) -> tuple[Block | None, list[Reject]]:
    r"""Make a block of framed lines.

    Every byte of `lines` but white space between records ends up in the block or in a reject, in order. A record is a
    JSON object with a string `custom_id` and a string `result.type`; whatever else is in it, it is one. A usage that is
    not of the API's shape is left out of its head.

    Args:
        batch_id: the batch they belong to.
        lines: what the framer has cut.
        usage: read the usage of each record too, and so all of it.
        locate: say in the block where its records begin in the body.

    Returns:
        The block, or None when there is no record at all, and the rejects.

    >>> read_lines("msgbatch_1", Lines(0, b'{"custom_id":"a","result":{"type":"expired"}}\n{"cust', terminated=False))
    ... # doctest: +ELLIPSIS
    (Block(batch_id='msgbatch_1', data=...), [Reject(offset=46, size=6, reason=..., raw=b'{"cust', terminated=False)])
    """
    data = lines.data if lines.data.endswith(b"\n") else lines.data + b"\n"
    known = sniff(data) if lines.terminated and not usage else None
    known = known or _parse_usual(data)
    if known is not None:  # then each line is one record, and they follow each other
        ends = accumulate(map(len, BytesIO(data)), initial=lines.offset) if locate else ()
        return Block(batch_id, data, *known, offsets=list(ends)[:-1] if locate else None), []
    records: list[bytes] = []
    heads = []
    offsets = []
    rejects: list[Reject] = []
    end = len(lines.data.rstrip(SPACE))
    for offset, raw in _separate(lines.data):
        try:
            heads.append(read_head(raw))
            records.append(raw)
            offsets.append(lines.offset + offset)
        except (ValueError, RecursionError) as exc:
            reason = "nested too deeply" if isinstance(exc, RecursionError) else str(exc)
            terminated = lines.terminated or offset + len(raw) < end
            rejects.append(Reject(lines.offset + offset, len(raw), reason, raw, terminated))
    if not records:
        return None, rejects
    data = b"\n".join([*records, b""])
    return Block(batch_id, data, *_apart(heads), offsets=offsets if locate else None), rejects


_ends = itemgetter(0, -2)  # the last byte is the newline
_BRACES = {(ord("{"), ord("}"))}


def _parse_usual(data: bytes) -> tuple[list[str], list[HeadResult]] | None:
    """The ids and results, when each line of `data` is exactly one record with nothing around it; else None."""
    # A long record comes alone and is not copied. For many, readlines is several times as fast as a split.
    lines = [data] if data.find(b"\n") == len(data) - 1 else BytesIO(data).readlines()
    try:
        heads = list(map(HEAD.decode, lines))
    except (ValueError, RecursionError):
        return None
    return _apart(heads) if set(map(_ends, lines)) == _BRACES else None


def _apart(heads: list[Head]) -> tuple[list[str], list[HeadResult]]:
    return [head.custom_id for head in heads], [head.result for head in heads]


def _separate(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The bytes that lie between separators, each with its place in `data`: records, if all is well."""
    start = 0
    for line in data.split(b"\n"):
        for begin, end in pairwise([0, *seams(line), len(line)]):
            left = line[begin:end].lstrip(SPACE)
            if left:
                yield start + end - len(left), left.rstrip(SPACE)
        start += len(line) + 1
