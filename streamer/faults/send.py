"""An answer onto the wire: its head, its framing, how fast it comes and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus

from streamer.faults.body import PIECE_BYTES, ServerAnswer, measured
from streamer.faults.damage import Faults
from streamer.faults.http1 import Fields, RequestHead, chunk
from streamer.faults.kinds import Stage
from streamer.faults.offset import Unit
from streamer.faults.script import Fault
from streamer.faults.wire import Wire

_TICKS = 20  # pieces a second of a body that drips
_ENDLESS = b"a" * (1 << 14)


class Framing(Enum):
    """How the end of a body is told."""

    NONE = "none"  # there is no body
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


class Cut:
    """Where a body stops: after so many bytes, or beside the end of a record.

    Args:
        place: bytes before the cut; None: there is none.
        side: `boundary` moves it on to just after the next newline, `inside` on to where neither the byte before it
            nor the one after it is one.
    """

    def __init__(self, place: int | None, side: str | None = None) -> None:
        self._place = place
        self._side = side
        self._passed = 0
        self._last = b"\n"  # the byte before the next
        self.reached = place == 0 and side is None

    def feed(self, data: bytes) -> bytes:
        """What of the next bytes is before the cut; `reached` tells that it is where these end."""
        if self._place is None:
            return data
        start = max(0, self._place - self._passed)
        stop = self._find(self._last + data, start) if start <= len(data) else None
        self.reached = stop is not None
        data = data[:stop]
        self._passed += len(data)
        self._last = data[-1:] or self._last
        return data

    def end(self) -> None:
        """The body is over: a cut that was only looking for the right byte is here."""
        self.reached = self.reached or (self._place is not None and self._passed >= self._place)

    def _find(self, data: bytes, start: int) -> int | None:
        """Where to cut `data[1:]`, at or after `start`; its first byte is the last one of before."""
        match self._side:
            case None:
                return start
            case "boundary":
                end = data.find(b"\n", start)
                return end if end >= 0 else None
            case _:
                places = range(start, len(data) - 1)
                return next((at for at in places if b"\n" not in data[at : at + 2]), None)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a body is sent: so many bytes at once, then a pause for each byte, in seconds."""

    step: int = PIECE_BYTES
    per_byte: float = 0.0

    @classmethod
    def of(cls, faults: Faults) -> Pace:
        """The pace of the faults that strike."""
        drip, sliced = faults.named("drip"), faults.named("slice")
        step = PIECE_BYTES if drip is None else max(1, min(PIECE_BYTES, drip.number // _TICKS))
        return cls(step if sliced is None else sliced.number, 0.0 if drip is None else 1 / drip.number)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The bytes in pieces."""
        return (data[start : start + self.step] for start in range(0, len(data), self.step))


async def send(wire: Wire, answer: ServerAnswer, faults: Faults, request: RequestHead, open_files: ExitStack) -> bool:
    """Send an answer; whether the connection can be used again.

    Raises:
        ConnectionError: the client left, or the upstream did.
    """
    end = faults.of(Stage.END)
    if end is not None and end.place is not None and end.place.unit is Unit.HEAD:
        await _ended(wire, end.name)
        return False
    frame = faults.of(Stage.FRAME)
    cutting = end if end is not None else frame
    if (frame is not None and frame.name == "length") or (cutting is not None and _needs_size(cutting)):
        answer = replace(answer, body=await measured(answer.body, open_files))
    framing = _framing(answer, frame)
    closing = framing is Framing.CLOSE or (request.get("connection") or "").lower() == "close"
    head = RequestHead(
        ("HTTP/1.1", str(answer.status), answer.reason or _reason(answer.status)),
        (*answer.fields, *_length(answer, framing, frame), *((("connection", "close"),) if closing else ())),
    )
    if faults.named("endless_headers") is not None:
        await _endless_headers(wire, head)
    await wire.write(head.encode())
    reached = await _body(wire, answer, framing, _cut(cutting, answer), faults)
    if reached and end is not None:
        await _ended(wire, end.name)
        return False
    honest = frame is None or (frame.name == "length" and not frame.number)
    if reached or closing or not honest or faults.named("stale") is not None:
        await wire.close()
        return False
    return True


def _needs_size(fault: Fault) -> bool:
    return fault.place is not None and fault.place.needs_size


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # 529 is the API's own
        return "Overloaded"


def _framing(answer: ServerAnswer, frame: Fault | None) -> Framing:
    if answer.status in (204, 304):
        return Framing.NONE
    if frame is not None and frame.name != "length":
        return Framing.CLOSE if frame.name == "close_delimited" else Framing.CHUNKED
    if frame is None and (answer.chunked or answer.body.size is None):
        return Framing.CHUNKED
    return Framing.LENGTH


def _length(answer: ServerAnswer, framing: Framing, frame: Fault | None) -> Fields:
    match framing:
        case Framing.LENGTH:
            lie = frame.number if frame is not None else 0
            return (("content-length", str(max(0, (answer.body.size or 0) + lie))),)
        case Framing.CHUNKED:
            return (("transfer-encoding", "chunked"),)
        case _:
            return ()


def _cut(fault: Fault | None, answer: ServerAnswer) -> Cut:
    if fault is None or fault.place is None:
        return Cut(None)
    return Cut(fault.place.at(answer.body.size), fault.param("at"))


async def _body(wire: Wire, answer: ServerAnswer, framing: Framing, cut: Cut, faults: Faults) -> bool:
    """Send the body, and whatever marks its end unless it is cut; whether it was."""
    pace = Pace.of(faults)

    async def put(data: bytes) -> None:
        for piece in pace.pieces(data):
            await wire.write(chunk(piece) if framing is Framing.CHUNKED else piece)
            if pace.per_byte:
                await asyncio.sleep(len(piece) * pace.per_byte)

    while not cut.reached and (data := await answer.body.read()):
        await put(cut.feed(data))
    cut.end()
    tail = _ENDLESS if cut.reached and faults.named("endless_line") is not None else answer.tail
    while tail:
        await put(tail)
    if framing is Framing.CHUNKED and not cut.reached and faults.named("no_final_chunk") is None:
        await wire.write(chunk(b""))
    return cut.reached


async def _ended(wire: Wire, how: str) -> None:
    match how:
        case "fin":
            await wire.close()
        case "rst":
            await wire.reset()
        case _:
            await wire.gone()


async def _endless_headers(wire: Wire, head: RequestHead) -> None:
    """Send a head that never ends, until the client leaves."""
    await wire.write(head.encode()[:-2])
    while True:
        await wire.write(b"x-filler: " + _ENDLESS[:1000] + b"\r\n")
