"""The official client, as its documentation shows it: every record becomes a pydantic model."""

from __future__ import annotations

import anthropic

from benchmarks.job import Job, Stopwatch


def plain(job: Job, watch: Stopwatch) -> int:
    """`for record in client.messages.batches.results(...)`."""
    count = 0
    with anthropic.Anthropic(api_key="benchmark", base_url=job.base_url) as client:
        for batch_id in job.batch_ids:
            for record in client.messages.batches.results(batch_id):
                if not count:
                    watch.first()
                count += bool(record.custom_id and record.result.type)
    return count


async def asynchronous(job: Job, watch: Stopwatch) -> int:
    """`async for record in await client.messages.batches.results(...)`."""
    count = 0
    async with anthropic.AsyncAnthropic(api_key="benchmark", base_url=job.base_url) as client:
        for batch_id in job.batch_ids:
            async for record in await client.messages.batches.results(batch_id):
                if not count:
                    watch.first()
                count += bool(record.custom_id and record.result.type)
    return count
