"""The results of a batch as a stream of bytes, made while they are sent: nothing of it is stored.

Records of batches that were created answer their requests. Those of batches that were there at start come from a
few dozen ready-made templates, so that gigabytes take seconds.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from streamer.emulator.ids import base58, mixed, unit
from streamer.emulator.lifecycle import Outcomes
from streamer.emulator.recordbytes import (
    Ask,
    bare_record,
    errored_record,
    failure,
    message_id,
    succeeded_record,
)
from streamer.emulator.settings import CONTENT_KINDS, Settings, shares

CHUNK_BYTES = 256 * 1024

_TEMPLATES = 64
_TEMPLATE_BYTES = 512 * 1024  # above this a record is written piece by piece, not from a template
_NO_LIMIT = 1 << 60  # tokens: the size asked for decides


class _Pattern(NamedTuple):
    """A succeeded record around the two things that differ: the custom_id and the message's id."""

    head: bytes
    middle: bytes
    tail: bytes


def chunks(pieces: Iterable[bytes], size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """The same bytes in chunks of at least `size`, but for the last."""
    held: list[bytes] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= size:
            yield b"".join(held)
            held.clear()
            length = 0
    if held:
        yield b"".join(held)


def _lines(records: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """Records, each with a newline before it but the first: the API sends none after the last."""
    newline = b""
    for record in records:
        yield newline
        yield from record
        newline = b"\n"


class ResultLines:
    """Writes the records of any batch under some settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._content = shares(settings.content, CONTENT_KINDS)
        self._templates: list[_Pattern] | None = None

    def created(self, number: int, asks: Iterable[Ask], outcomes: Outcomes) -> Iterator[bytes]:
        """The answers to the requests of batch `number`; `outcomes` says what becomes of those that are valid."""
        return _lines(self._answers(number, asks, outcomes))

    def _answers(self, number: int, asks: Iterable[Ask], outcomes: Outcomes) -> Iterator[Iterable[bytes]]:
        valid = 0
        for ask in asks:
            if ask.fault is not None:
                yield (errored_record(ask.custom_id, *ask.fault),)
                continue
            seed = mixed(self._settings.seed, number, zlib.crc32(ask.custom_id.encode()))
            yield self._record(ask, outcomes.type_at(valid), seed)
            valid += 1

    def message(self, ask: Ask) -> dict[str, Any]:
        """The answer to a request outside of any batch."""
        record = b"".join(self._record(ask, "succeeded", mixed(self._settings.seed, ask.digest)))
        message: dict[str, Any] = msgspec.json.decode(record)["result"]["message"]
        message["usage"]["service_tier"] = "standard"
        return message

    def _record(self, ask: Ask, kind: str, seed: int) -> Iterable[bytes]:
        if kind == "succeeded":
            size = int(self._settings.record_bytes * (0.5 + unit(seed, ask.digest)))
            return succeeded_record(ask, size, seed)
        if kind == "errored":
            return (errored_record(ask.custom_id, *failure(seed)),)
        return (bare_record(ask.custom_id, kind),)

    def filled(self, number: int, total: int, outcomes: Outcomes) -> Iterator[bytes]:
        """The records of batch `number`, which was there at start; its custom_ids are `request-000000` and so on."""
        return _lines(self._fillings(number, total, outcomes))

    def _fillings(self, number: int, total: int, outcomes: Outcomes) -> Iterator[Iterable[bytes]]:
        small = self._settings.record_bytes <= _TEMPLATE_BYTES
        if small and self._templates is None:
            self._templates = [self._template(which) for which in range(_TEMPLATES)]
        templates = self._templates or []
        huge = self._huge(total, outcomes)
        tag = base58(mixed(self._settings.seed, number) << 64 | mixed(number), 16)
        for position in range(total):
            custom_id = f"request-{position:06d}"
            kind = outcomes.type_at(position)
            if kind == "succeeded" and small and position != huge:
                head, middle, tail = templates[(position + number) % _TEMPLATES]
                yield (head, custom_id.encode(), middle, f"msg_01{tag}{position:06d}".encode(), tail)
                continue
            seed = mixed(self._settings.seed, number, position)
            if position == huge:
                yield succeeded_record(_huge_ask(custom_id), self._settings.huge_bytes, seed)
            else:
                yield self._record(self._ask(position, custom_id), kind, seed)

    def _huge(self, total: int, outcomes: Outcomes) -> int | None:
        """Which record is the huge one: a succeeded one near the middle."""
        if self._settings.huge_bytes == 0:
            return None
        positions = range(total // 2, total)
        return next((position for position in positions if outcomes.type_at(position) == "succeeded"), None)

    def _ask(self, which: int, custom_id: str) -> Ask:
        position = (which % _TEMPLATES + 0.5) / _TEMPLATES
        bounds = accumulate(self._content.values())
        kind = next((kind for kind, bound in zip(self._content, bounds, strict=True) if position < bound), "text")
        cached = 300 if which % 3 == 0 else 0
        ttl = "1h" if which % 2 == 0 else "5m"
        return Ask(custom_id, digest=which, kind=kind, cached_tokens=cached, cache_ttl=ttl, max_tokens=_NO_LIMIT)

    def _template(self, which: int) -> _Pattern:
        ask = self._ask(which, "request-000000")
        size = int(self._settings.record_bytes * (0.5 + (which * 37 % _TEMPLATES + 0.5) / _TEMPLATES))
        record = b"".join(succeeded_record(ask, size, self._settings.seed))
        head, _, rest = record.partition(ask.custom_id.encode())
        middle, _, tail = rest.partition(message_id(ask, self._settings.seed).encode())
        return _Pattern(head, middle, tail)


def _huge_ask(custom_id: str) -> Ask:
    return Ask(custom_id, max_tokens=_NO_LIMIT)
