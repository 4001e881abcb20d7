"""The decoded bytes of a body: compressed ones are decoded in a thread, beside the event loop.

Decoding is C that runs without the interpreter's lock, so a second core does it while the loop frames what came before;
and the loop, which serves others too, is not held up by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from streamer.results.encoding import Decoder
from streamer.threads import Lane, Threads


async def decoded(body: AsyncIterator[bytes], decoder: Decoder) -> AsyncGenerator[bytes, None]:
    """What `body` decodes to, in pieces of bounded size; one piece is decoded ahead.

    Raises:
        TransportError: the compressed data is damaged or was cut.
        ResultsError: it grows out of all proportion.
    """
    threads = Threads("streamer-unpack", 1)
    lane = Lane(threads)
    try:
        async for raw in body:
            pieces = decoder.feed(raw)
            if not decoder.works:
                for data in pieces:
                    yield data
                continue
            ahead = _begin(lane, pieces)
            while (piece := await lane.finish(ahead)) is not None:
                ahead = _begin(lane, pieces)
                await asyncio.sleep(0)  # lets the thread have the lock, which it needs to begin
                yield piece
        decoder.finish()
    finally:
        await lane.settle()  # no thread outlives its download
        threads.close()


def _begin(lane: Lane, pieces: Iterator[bytes]) -> asyncio.Future[bytes | None]:
    ahead = asyncio.get_running_loop().run_in_executor(lane, next, pieces, None)
    ahead.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever leaves early does not ask
    return ahead
