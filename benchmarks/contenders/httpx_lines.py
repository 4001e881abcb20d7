"""httpx by hand: `aiter_lines`, then json."""

from __future__ import annotations

import json

import httpx

from benchmarks.job import Job, Stopwatch


async def decode(job: Job, watch: Stopwatch) -> int:
    """Every line as a dict."""
    count = 0
    async with httpx.AsyncClient(timeout=None) as client, client.stream("GET", job.results_url) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if not count:
                watch.first()
            record = json.loads(line)
            count += bool(record["custom_id"] and record["result"]["type"])
    return count
