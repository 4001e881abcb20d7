"""The results of a batch from the API: one request, whose body is decoded and read while it arrives."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.api.retry import NOT_SATISFIABLE
from streamer.errors import ApiError, GatewayError, ResultsError, TransportError
from streamer.results.reader import Piece, RecordReader, rejected
from streamer.sources import encoding
from streamer.sources.budget import BUDGET, ByteBudget
from streamer.sources.unpacking import unpacked

if TYPE_CHECKING:
    from streamer.api.client import Client
    from streamer.api.resultsbody import ResultsBody
    from streamer.api.types import Batch

COPIES = 2  # of a record while its pieces become one
MOST_BLANK = 64 * 1024 * 1024  # bytes of blank lines in a row: no results have them, and somebody might never end
SHOWN = 80  # characters of a header, in an error
PARTIAL = 206
CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Begin:
    """The records are about to come: from the first one, or from where the last download broke off."""

    offset: int  # in the body, in bytes

    size = 0


@dataclass(slots=True)
class Position:
    """How far the results of a batch have been taken, for a server that can go on from there.

    The API itself promises neither ranges nor a validator; a gateway or a static host may. Only a strong ETag proves
    that the bytes are still the same, and only of a body that is not compressed can a part be asked for.
    """

    offset: int = 0  # bytes of the body that were taken, up to the end of a record
    validator: str = ""  # the strong ETag they came with; without one there is no going on

    def headers(self) -> dict[str, str]:
        """What to send to go on; nothing when that is not possible."""
        if not (self.offset and self.validator):
            return {}
        return {"Range": f"bytes={self.offset}-", "If-Range": self.validator}

    def take_up(self, status: int, headers: Mapping[str, str]) -> int:
        """Where in the body an answer begins, by its status and headers.

        Raises:
            TransportError: it is a part, but not the one that was asked for.
        """
        encoded = headers.get("Content-Encoding", "identity").lower() != "identity"
        etag = headers.get("ETag", "")
        if status == PARTIAL:
            named = headers.get("Content-Range", "")
            match = CONTENT_RANGE.fullmatch(named)
            right = match is not None and int(match[1]) == self.offset and int(match[2]) == int(match[3]) - 1
            if not right or encoded or etag != self.validator:
                asked, self.offset = self.offset, 0
                raise TransportError(
                    f"the server was asked for the results from byte {asked:,} on and sent something else "
                    f"(Content-Range {named[:SHOWN]!r}, ETag {etag[:SHOWN]!r}); they are fetched from the beginning"
                )
            return self.offset
        self.offset = 0
        strong = etag.startswith('"') and headers.get("Accept-Ranges", "").lower() == "bytes" and not encoded
        self.validator = etag if strong else ""
        return 0


async def download(
    client: Client,
    batch: Batch,
    position: Position,
    *,
    max_record_bytes: int,
    usage: bool = True,
    budget: ByteBudget | None = None,
) -> AsyncGenerator[Begin | Piece, None]:
    """Ask for the results of an ended batch once, and yield them as they arrive, in the server's order.

    Args:
        client: sends the request.
        batch: the batch, ended, with its `results_url`.
        position: how far an earlier download came; brought up to date as the pieces are taken.
        max_record_bytes: a record longer than this comes as `LongPart`s and is never held whole.
        usage: read the usage of each record too, and so all of it.
        budget: what this and other downloads may hold of long records, together.

    Yields:
        First `Begin`, then what came.

    Raises:
        TransportError: the body broke off, stalled or was cut; records yielded before that are whole.
        ResultsError: what came is not results, or is encoded in a way that was not asked for.
        ApiError: the API refused.
    """
    asked = position.headers()
    accept = "identity" if asked else encoding.accept_encoding()
    async with _answer(client, batch, accept, asked, position) as body:
        start = position.take_up(body.status, body.headers)
        yield Begin(start)
        decoder = encoding.decoder(body.headers.get("Content-Encoding"))
        reader = RecordReader(batch.id, max_record_bytes=max_record_bytes, usage=usage, start=start)
        budget = budget or ByteBudget(BUDGET, COPIES * max_record_bytes)
        blank = 0  # bytes since the last record
        async with unpacked(body, decoder) as decoded, _releasing(budget, reader):
            async for data in decoded:
                blank += len(data)
                if blank > max_record_bytes + MOST_BLANK:
                    raise ResultsError(f"{batch.id}: {blank:,} bytes of results came that hold no record; given up")
                pieces = reader.feed(data)
                del data  # not needed while a slow sink is waited for, and there may be hundreds of downloads
                for piece in pieces:
                    blank = 0
                    yield piece
                    del piece  # it may be long, and the next one is waited for
                position.offset = reader.taken
                await budget.hold(reader, COPIES * reader.held)
        for piece in reader.close():
            reject = rejected(piece)
            if reject is not None and not reject.terminated:
                # However cleanly the body ended, it has been cut.
                end = reject.offset + reject.size
                raise TransportError(f"the results broke off in the middle of a record, after {end:,} bytes")
            yield piece


@asynccontextmanager
async def _releasing(budget: ByteBudget, holder: object) -> AsyncIterator[None]:
    try:
        yield
    finally:
        budget.release(holder)


@asynccontextmanager
async def _answer(
    client: Client, batch: Batch, accept_encoding: str, asked: Mapping[str, str], position: Position
) -> AsyncIterator[ResultsBody]:
    try:
        async with client.results(batch, accept_encoding=accept_encoding, headers=asked) as body:
            yield body
    except (ApiError, GatewayError) as error:  # a file server says so in a page of its own
        if not asked or error.status != NOT_SATISFIABLE:
            raise
        asked_for, position.offset = position.offset, 0
        raise TransportError(
            f"the results no longer reach to byte {asked_for:,}, where the last download broke off; "
            "they are fetched from the beginning"
        ) from error
