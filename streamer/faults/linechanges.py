"""Damage to the lines of a results body: missing, doubled, foreign, poisoned, in another order, ended otherwise.

One record at a time is held; `duplicate` holds the records that it repeats, and `reorder` all of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Protocol

from streamer.faults.script import Fault

UTF8_BOM = b"\xef\xbb\xbf"
GARBAGE = b'{"custom_id": "poisoned, and no JS'
FOREIGN = b'{"custom_id":"nobody-asked-%d","result":{"type":"canceled"}}'
# What is added to a record, as one more member at its end.
POISON = {
    "digits": b"9" * 5_000,
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "utf8": b'"\xff\xfe\xc3"',
    "nul": b'"\x00"',
    "surrogate": rb'"\ud800"',
    "separators": '"\u2028\u0085"'.encode(),
}


class Change(Protocol):
    """What is done to records as they pass."""

    def feed(self, record: bytes) -> Iterable[bytes]:
        """The records that come out for the next one."""
        ...

    def end(self) -> Iterable[bytes]:
        """The records that come out after the last one."""
        ...


class Drop:
    """Without the first records."""

    def __init__(self, count: int) -> None:
        self._left = count

    def feed(self, record: bytes) -> Iterable[bytes]:
        """None of the first, all of the others."""
        self._left -= 1
        return () if self._left >= 0 else (record,)

    def end(self) -> Iterable[bytes]:
        """Nothing."""
        return ()


class Duplicate:
    """The first records once more at the end."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._held: list[bytes] = []

    def feed(self, record: bytes) -> Iterable[bytes]:
        """Each record, the first ones remembered."""
        if len(self._held) < self._count:
            self._held.append(record)
        return (record,)

    def end(self) -> Iterable[bytes]:
        """What was remembered."""
        return self._held


class Extra:
    """Foreign records before the first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._made = False

    def feed(self, record: bytes) -> Iterable[bytes]:
        """Each record, the foreign ones before the first."""
        return (*self.end(), record)

    def end(self) -> Iterable[bytes]:
        """The foreign ones, if there was no first."""
        foreign = () if self._made else tuple(FOREIGN % number for number in range(self._count))
        self._made = True
        return foreign


class Poison:
    """One record harmed, or garbage put in before it: the first that starts at or after a place."""

    def __init__(self, kind: str, place: int) -> None:
        self._kind = kind
        self._place = place
        self._passed = 0
        self._done = False

    def feed(self, record: bytes) -> Iterable[bytes]:
        """Each record, the poison in its place."""
        here = not self._done and self._passed >= self._place
        self._passed += len(record) + 1
        if not here:
            return (record,)
        self._done = True
        if self._kind == "garbage":
            return GARBAGE, record
        return (record.rstrip()[:-1] + b',"poison":' + POISON[self._kind] + b"}",)

    def end(self) -> Iterable[bytes]:
        """Garbage, if its place is the end."""
        return (GARBAGE,) if self._kind == "garbage" and not self._done else ()


class Reorder:
    """All records in an order of their own."""

    def __init__(self, draw: int) -> None:
        self._random = Random(draw)  # noqa: S311 - an order, not a secret
        self._held: list[bytes] = []

    def feed(self, record: bytes) -> Iterable[bytes]:
        """Nothing yet."""
        self._held.append(record)
        return ()

    def end(self) -> Iterable[bytes]:
        """All of them."""
        self._random.shuffle(self._held)
        return self._held


class ChangedLines:
    """Splits a body into records, changes them, and joins them again: a stage for `Staged`.

    The last line has an end afterwards if it had one before; the real service sends none.
    """

    def __init__(self, changes: Sequence[Change], separator: bytes = b"\n", start: bytes = b"") -> None:
        self._changes = changes
        self._separator = separator
        self._before = start
        self._held: list[bytes] = []  # pieces of a record that is not whole yet
        self._ended = False  # the last line had an end
        self._some = False  # a record has come out

    def feed(self, data: bytes) -> bytes:
        """What becomes of the records that are whole now."""
        *lines, rest = data.split(b"\n")
        out: list[bytes] = []
        for line in lines:
            out.extend(self._changed(b"".join([*self._held, line]), self._changes))
            self._held.clear()
        if rest:
            self._held.append(rest)
        self._ended = not self._held
        return b"".join(self._joined(out))

    def end(self) -> bytes:
        """The rest: a last record with no end, and what the changes held back."""
        out = list(self._changed(b"".join(self._held), self._changes)) if self._held else []
        for index, change in enumerate(self._changes):
            for record in change.end():
                out.extend(self._changed(record, self._changes[index + 1 :]))
        joined = self._joined(out)
        return b"".join([*joined, self._separator] if self._ended and self._some else joined)

    def _changed(self, record: bytes, changes: Sequence[Change]) -> Iterable[bytes]:
        records: Iterable[bytes] = (record,)
        for change in changes:
            records = [out for one in records for out in change.feed(one)]
        return records

    def _joined(self, records: Iterable[bytes]) -> list[bytes]:
        out: list[bytes] = []
        for record in records:
            out += [self._before, record]
            self._before = self._separator
            self._some = True
        return out


def lines(faults: Sequence[Fault], size: int | None) -> ChangedLines:
    """The stage for the faults that strike records, in a body of `size` bytes (None: no place in it is a share)."""
    names = {fault.name: fault for fault in faults}
    changes: list[Change] = []
    for name in ("drop", "duplicate", "extra", "reorder", "poison"):
        if name not in names:
            continue
        fault = names[name]
        match name:
            case "drop":
                changes.append(Drop(fault.number))
            case "duplicate":
                changes.append(Duplicate(fault.number))
            case "extra":
                changes.append(Extra(fault.number))
            case "reorder":
                changes.append(Reorder(fault.draw))
            case _:
                assert fault.place is not None  # noqa: S101 - its kind has one
                changes.append(Poison(str(fault.value), fault.place.at(size)))
    ending = b"\r\n" if "crlf" in names else b"\n"
    return ChangedLines(changes, ending * (2 if "blank" in names else 1), UTF8_BOM if "bom" in names else b"")
