"""The ways through this library, by its public names, the proof of completeness included."""

from __future__ import annotations

from pathlib import Path

from benchmarks.job import Job, Stopwatch
from streamer import Client, FileSink, run, stream
from streamer.api.options import ClientOptions
from streamer.runs.options import RunOptions

REQUESTS_PER_MINUTE = 1_000_000  # so that with a thousand batches we measure the library, not its politeness


def _client(job: Job) -> Client:
    return Client(
        api_key="benchmark", base_url=job.base_url, options=ClientOptions(requests_per_minute=REQUESTS_PER_MINUTE)
    )


async def copy(job: Job, watch: Stopwatch) -> int:
    """Every record into files: framed, counted, proved complete, synced to the disk, renamed."""
    return await _copy(job, usage=False)


async def copy_with_usage(job: Job, watch: Stopwatch) -> int:
    """The same with tokens counted, for which every record is parsed: what `run` does when nobody says otherwise."""
    return await _copy(job, usage=True)


async def _copy(job: Job, *, usage: bool) -> int:
    sink = FileSink(Path(job.directory) / "{batch_id}.jsonl")
    async with _client(job) as client:
        report = await run(client, job.batch_ids, sink, RunOptions(concurrency=job.concurrency, usage=usage))
    if not report.complete:
        raise SystemExit(f"not complete: {[batch.error for batch in report.batches if batch.error][:3]}")
    return sum(report.records.values())


async def blocks(job: Job, watch: Stopwatch) -> int:
    """The custom_id and type of every record, a block at a time."""
    count = 0
    async with (
        _client(job) as client,
        stream(client, job.batch_ids, RunOptions(concurrency=job.concurrency, usage=False)) as records,
    ):
        async for block in records.blocks():
            watch.first()
            count += len(list(zip(block.ids, block.types, strict=True)))
    return count


async def each_record(job: Job, watch: Stopwatch) -> int:
    """The custom_id and type of every record, record by record."""
    count = 0
    async with (
        _client(job) as client,
        stream(client, job.batch_ids, RunOptions(concurrency=job.concurrency, usage=False)) as records,
    ):
        async for record in records:
            if not count:
                watch.first()
            count += bool(record.custom_id and record.type)
    return count


async def typed(job: Job, watch: Stopwatch) -> int:
    """The whole typed result of every record."""
    count = 0
    async with (
        _client(job) as client,
        stream(client, job.batch_ids, RunOptions(concurrency=job.concurrency, usage=False)) as records,
    ):
        async for block in records.blocks():
            watch.first()
            for record in block.records():
                count += record.result.type == record.type
    return count
