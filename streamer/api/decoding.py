"""What a server may claim, decided once: answers as bytes turned into the objects of `types`, or refused with a reason.

Everything behind this door may rely on it: an id is one that can be asked for, a time has a zone and is of this age,
counts are none or can be true, and a page that says there is more says after which batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from streamer.api.origin import BATCH_ID
from streamer.api.types import TIMES, Batch, BatchPage, DeletedBatch, Message, RequestCounts, Undecodable
from streamer.defaults import MAX_REQUESTS

T = TypeVar("T")

SHOWN = 80  # characters of an id that cannot be one
YEARS = range(2000, 2200)  # beyond them arithmetic with dates overflows, and no batch was or will be made


class NotDecodableError(ValueError):
    """It is JSON, but it cannot be what it should be; says why."""


@dataclass(frozen=True, slots=True)
class Expected(Generic[T]):
    """What an answer should be.

    Attributes:
        name: for messages, e.g. `Batch`.
        decode: makes one of the body, or raises a `ValueError`: a `NotDecodableError` when the body is JSON, and then
            its text is the reason.
    """

    name: str
    decode: Callable[[bytes], T]


class _PageAsSent(msgspec.Struct):
    """A page whose items are not looked at yet, so that one of them cannot spoil the others."""

    data: list[msgspec.Raw]
    has_more: bool | None = None
    first_id: str | None = None
    last_id: str | None = None


class _Named(msgspec.Struct):
    id: str


def batch(batch_id: str | None = None) -> Expected[Batch]:
    """A batch, the one of this id where it is known: an answer about another one answers nothing.

    >>> batch("msgbatch_1").decode(b'{"id": "msgbatch_1", "processing_status": "ended"}').ended
    True
    """

    def decode(body: bytes) -> Batch:
        found = _batch(body)
        if batch_id is not None and found.id != batch_id:
            raise NotDecodableError(f"it is about {found.id}")
        return found

    return Expected("Batch", decode)


def _batch(body: bytes | msgspec.Raw) -> Batch:
    found = _json(body, Batch)
    if BATCH_ID.fullmatch(found.id) is None:
        raise NotDecodableError(f"its id {found.id[:SHOWN]!r} cannot be one: 1 to 64 letters, digits, _ and -")
    for name in TIMES:
        time: datetime | None = getattr(found, name)
        if time is not None and time.year not in YEARS:
            raise NotDecodableError(f"its {name} is in the year {time.year}")
    return msgspec.structs.replace(
        found, request_counts=_counts(found.request_counts), results_url=found.results_url or None
    )


def _counts(counts: RequestCounts | None) -> RequestCounts | None:
    """Counts that can be true; None for those that say nothing, as a batch has at least one request."""
    if counts is None:
        return None
    numbers = msgspec.structs.astuple(counts)
    if min(numbers) < 0:
        raise NotDecodableError("one of its request_counts is less than 0")
    if counts.total > MAX_REQUESTS:
        raise NotDecodableError(f"its request_counts add up to more than the {MAX_REQUESTS:,} that a batch can have")
    return counts if counts.total else None


def _page(body: bytes) -> BatchPage:
    sent = _json(body, _PageAsSent)
    batches: dict[str, Batch] = {}  # each once, as it stands first
    undecodable: list[Undecodable] = []
    for item in sent.data:
        try:
            found = _batch(item)
            batches.setdefault(found.id, found)
        except ValueError as error:
            undecodable.append(Undecodable(_name(item), str(error)))
    ids = list(batches)
    last = _cursor(sent.last_id) or (ids[-1] if ids else None)
    # More of nothing is nothing, and without a cursor there is no way on.
    more = bool(sent.has_more and sent.data and last)
    return BatchPage(
        data=list(batches.values()),
        has_more=more,
        first_id=_cursor(sent.first_id) or (ids[0] if ids else None),
        last_id=last,
        undecodable=undecodable,
    )


def _cursor(batch_id: str | None) -> str | None:
    return batch_id if batch_id is not None and BATCH_ID.fullmatch(batch_id) else None


def _name(item: msgspec.Raw) -> str:
    """The id of an item that is no batch, where it has one that can be asked for."""
    try:
        return _cursor(_json(item, _Named).id) or ""
    except ValueError:
        return ""


def _json(body: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise NotDecodableError(str(error)) from None
    except RecursionError:
        raise NotDecodableError("it is nested too deeply") from None


PAGE = Expected("BatchPage", _page)
DELETED = Expected("DeletedBatch", lambda body: _json(body, DeletedBatch))
MESSAGE = Expected("Message", lambda body: _json(body, Message))
