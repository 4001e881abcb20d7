"""What the faults that strike make of an answer, up to where it is sent: content, compression, parts, headers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from streamer.faults.body import Body, ServerAnswer, Staged, measured, stored
from streamer.faults.coding import BitFlip, compress
from streamer.faults.http1 import RequestHead
from streamer.faults.kinds import Stage
from streamer.faults.linechanges import lines
from streamer.faults.ranges import part
from streamer.faults.script import Fault

_RESULTS_URL = rb'("results_url"\s*:\s*)"([^"]*)"'
_ENDED = re.compile(rb'"processing_status"\s*:\s*"ended"')


@dataclass(frozen=True, slots=True)
class Faults:
    """Those that strike one request."""

    striking: Sequence[Fault]

    def of(self, stage: Stage) -> Fault | None:
        """The one of a stage in which only one strikes."""
        return next((fault for fault in self.striking if fault.kind.stage is stage), None)

    def all_of(self, stage: Stage) -> list[Fault]:
        """Those of a stage in which many may strike."""
        return [fault for fault in self.striking if fault.kind.stage is stage]

    def named(self, name: str) -> Fault | None:
        """The one of that name."""
        return next((fault for fault in self.striking if fault.name == name), None)


def shows_end(body: bytes) -> bool:
    """Whether a batch object, or a page of them, shows a batch that has ended."""
    return _ENDED.search(body) is not None


def homed(body: bytes, upstream: str, here: str) -> bytes:
    """A body of batch objects whose results_url leads here where it led to the upstream; any other stays.

    >>> homed(b'{"results_url": "http://up/v1/x"}', "http://up", "http://here:1")
    b'{"results_url": "http://here:1/v1/x"}'
    """

    def home(found: re.Match[bytes]) -> bytes:
        prefix, url = found.groups()
        origin = upstream.encode()
        if url == origin or url.startswith(origin + b"/"):
            url = here.encode() + url[len(origin) :]
        return prefix + b'"' + url + b'"'

    return re.sub(_RESULTS_URL, home, body)


def without_results_url(body: bytes) -> bytes:
    """A body of batch objects with every results_url null."""
    return re.sub(_RESULTS_URL, rb"\1null", body)


async def damaged(
    answer: ServerAnswer, faults: Faults, request: RequestHead, seed: str, open_files: ExitStack
) -> ServerAnswer:
    """The answer as it is to be sent.

    A place that is a share of the body, compression, parts and a Content-Length need the size of the body: it is
    stored in a file then. Otherwise it passes piece by piece.

    Args:
        answer: what the upstream said, or what was made in its place.
        faults: those that strike.
        request: what was asked.
        seed: makes the ETag, e.g. of the batch.
        open_files: closes the files when the answer is sent.
    """
    answer = replace(answer, body=await _content(answer.body, faults, open_files))
    answer = await _coded(answer, faults, open_files)
    answer = await _parted(answer, faults, request, seed, open_files)
    big = faults.named("big_header")
    return answer.with_fields(("x-filler", "x" * big.number)) if big is not None else answer


async def _content(body: Body, faults: Faults, open_files: ExitStack) -> Body:
    records = faults.all_of(Stage.RECORDS)
    if records:
        if any(_needs_size(fault) for fault in records):
            body = await measured(body, open_files)
        body = Staged(body, lines(records, body.size))
    flip = faults.of(Stage.BITS)
    if flip is not None and flip.place is not None:
        if _needs_size(flip):
            body = await measured(body, open_files)
        # The last byte is as far as a share can go: there is none at 100 %.
        place = flip.place.at(body.size) if body.size is None else min(flip.place.at(body.size), body.size - 1)
        body = Staged(body, BitFlip(place))
    return body


async def _coded(answer: ServerAnswer, faults: Faults, open_files: ExitStack) -> ServerAnswer:
    fault = faults.of(Stage.CODING)
    if fault is None:
        return answer
    coding, _, cut = fault.name.partition("_")
    body = await stored(Staged(answer.body, compress(coding)), open_files)
    if cut and fault.place is not None:
        body = body.part(0, fault.place.at(body.size))
    return replace(answer.with_fields(("content-encoding", coding)), body=body, chunked=False)


async def _parted(
    answer: ServerAnswer, faults: Faults, request: RequestHead, seed: str, open_files: ExitStack
) -> ServerAnswer:
    fault = faults.of(Stage.RANGE)
    if fault is None or answer.status != 200:
        return answer
    body = await stored(answer.body, open_files)
    assert body.size is not None  # noqa: S101 - it is stored
    found = part(fault, body.size, seed, request.get("range"), request.get("if-range"))
    answer = replace(answer, status=found.status, reason="", body=body.part(found.start, found.stop), chunked=False)
    return answer.with_fields(*found.fields)


def _needs_size(fault: Fault) -> bool:
    return fault.place is not None and fault.place.needs_size
