"""The unit that flows: a block of whole records.

Python pays per object, so what moves through the pipeline is not records but blocks: bytes that hold whole
records, each ended by one newline, with the heads of those records decoded once, together, in C.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from streamer.results.record import Head, Record


class Block(msgspec.Struct, frozen=True, gc=False):
    r"""Whole records of one batch.

    Attributes:
        batch_id: the batch they belong to.
        data: the records' own bytes, each ended by exactly one ``\n``.
        heads: custom_id, type and usage of each record, in the order of `data`.
    """

    batch_id: str
    data: bytes
    heads: list[Head]

    def __len__(self) -> int:
        return len(self.heads)

    def records(self) -> Iterator[Record]:
        """The records as lazy views, in order."""
        lines = self.data.split(b"\n")
        for head, line in zip(self.heads, lines, strict=False):  # the last line is the empty one after the last \n
            yield Record(self.batch_id, head, line)

    def select(self, keep: Callable[[Head], bool]) -> Block:
        """The block of those records whose head `keep` says yes to; the block itself when it is all of them."""
        kept = [keep(head) for head in self.heads]
        if all(kept):
            return self
        lines = self.data.split(b"\n")
        data = b"".join([line + b"\n" for line, wanted in zip(lines, kept, strict=False) if wanted])
        return Block(self.batch_id, data, [head for head, wanted in zip(self.heads, kept, strict=True) if wanted])
