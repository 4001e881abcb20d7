"""The decoded bytes of a body: compressed ones are decoded in a thread, beside the event loop.

Decoding is C that runs without the interpreter's lock, so a second core does it while the loop frames what came before;
and the loop, which serves others too, is not held up by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from streamer.results.encoding import Decoder


async def decoded(body: AsyncIterator[bytes], decoder: Decoder) -> AsyncGenerator[bytes, None]:
    """What `body` decodes to, in pieces of bounded size; one piece is decoded ahead.

    Raises:
        TransportError: the compressed data is damaged or was cut.
        ResultsError: it grows out of all proportion.
    """
    async for raw in body:
        pieces = decoder.feed(raw)
        if not decoder.works:
            for data in pieces:
                yield data
            continue
        ahead = _begin(pieces)
        try:
            while (piece := await asyncio.shield(ahead)) is not None:
                ahead = _begin(pieces)
                await asyncio.sleep(0)  # lets the thread have the lock, which it needs to begin
                yield piece
        finally:
            await asyncio.wait([ahead])  # for a millisecond or so: no thread outlives its download
            ahead.exception()  # whoever leaves early does not want to know
    decoder.finish()


def _begin(pieces: Iterator[bytes]) -> asyncio.Future[bytes | None]:
    return asyncio.get_running_loop().run_in_executor(None, next, pieces, None)
