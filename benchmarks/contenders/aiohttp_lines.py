"""aiohttp by hand: what is left when nobody looks at the bytes, and the loop that most people write."""

from __future__ import annotations

import json

import aiohttp

from benchmarks.job import Job, Stopwatch

READ_BUFFER_BYTES = 1 << 16  # the fastest, and what our client uses
LONGEST_LINE = 1 << 25  # aiohttp refuses lines above half a mebibyte unless it is told otherwise


async def drop(job: Job, watch: Stopwatch) -> None:
    """Read every byte and drop it."""
    async with (
        aiohttp.ClientSession(read_bufsize=READ_BUFFER_BYTES, auto_decompress=True) as session,
        session.get(job.results_url) as response,
    ):
        response.raise_for_status()
        while await response.content.readany():
            pass


async def decode(job: Job, watch: Stopwatch) -> int:
    """`async for line in response.content`, then `json.loads`."""
    count = 0
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(job.results_url, read_bufsize=LONGEST_LINE) as response,
    ):
        response.raise_for_status()
        async for line in response.content:
            if not count:
                watch.first()
            record = json.loads(line)
            count += bool(record["custom_id"] and record["result"]["type"])
    return count
