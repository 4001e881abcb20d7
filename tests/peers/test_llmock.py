"""`streamer` against llmock, a mock of many APIs that others wrote, in a process of its own.

It differs from the API in ways that servers do differ: `results_url` is an address within its origin and is there while
the batch is still in progress, results come as `application/jsonl` with a length, errors have another shape, nothing
can be deleted, and a canceled batch has no records for what it counts as canceled.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.api.client import Client
from streamer.api.types import Batch
from tests.cli.command import KEY, Started, streamer

COMMAND = [str(Path(sys.executable).with_name("llmock")), "serve", "--host", "127.0.0.1", "--port", "0"]
REQUESTS = 25  # in each batch


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """Where llmock listens, as the API's base URL."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(COMMAND, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
                yield found[1] + "/anthropic"
                break
        else:
            pytest.fail(f"llmock did not start: {said}")
        process.terminate()
        process.stdout.read()  # or it might block while it says goodbye


async def create(base_url: str) -> list[Batch]:
    """Three batches, of which the last one is canceled."""
    async with Client(base_url=base_url, api_key=KEY) as client:
        batches = []
        for number in range(3):
            requests = [
                {
                    "custom_id": f"{number}-{n}",
                    "params": {
                        "model": "claude-opus-5-5",
                        "max_tokens": 100,
                        "messages": [{"role": "user", "content": f"Tell me fact {n} about the number {number}."}],
                    },
                }
                for n in range(REQUESTS)
            ]
            batches.append(await client.create(requests))
        batches[-1] = await client.cancel(batches[-1].id)
    return batches


@pytest.fixture(scope="module")
def batches(base_url: str) -> list[Batch]:
    """Two batches that end after three seconds, and one that is canceled."""
    return asyncio.run(create(base_url))


@pytest.fixture(scope="module")
def ran(base_url: str, batches: list[Batch], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """`streamer run` on all three."""
    words = ("run", *(batch.id for batch in batches), "--poll-interval", "0.2", "--json")
    with Started(*words, cwd=tmp_path_factory.mktemp("llmock"), base_url=base_url) as started:
        yield started


def test_batches_are_waited_for_although_they_name_their_results_from_the_start(
    batches: list[Batch], ran: Started
) -> None:
    *ended, _ = batches
    assert {batch.processing_status for batch in ended} == {"in_progress"}
    assert all(batch.results_url is not None and batch.results_url.startswith("/anthropic/") for batch in ended)
    reports = {report["batch_id"]: report for report in map(json.loads, ran.done.stdout.splitlines()[:-1])}
    for number, batch in enumerate(ended):
        assert reports[batch.id]["records"] == {"succeeded": REQUESTS}
        assert reports[batch.id]["usage"]["claude-opus-5-5"]["requests"] == REQUESTS
        lines = (ran.folder / "results" / f"{batch.id}.jsonl").read_bytes().splitlines(keepends=True)
        assert all(line.endswith(b"}\n") for line in lines)
        assert {json.loads(line)["custom_id"] for line in lines} == {f"{number}-{n}" for n in range(REQUESTS)}


def test_counts_without_records_are_told_and_not_taken_for_a_complete_batch(batches: list[Batch], ran: Started) -> None:
    canceled = batches[-1]
    assert ran.done.returncode == 1
    said = f"{canceled.id}: got 0 of {REQUESTS} records ({REQUESTS} canceled missing)"
    assert said in ran.done.stderr
    assert not (ran.folder / "results" / f"{canceled.id}.jsonl").exists()


def test_a_server_that_cannot_delete_is_told_of_in_one_sentence(
    base_url: str, batches: list[Batch], ran: Started, tmp_path: Path
) -> None:
    assert ran.done.returncode == 1  # its batches have ended
    deleted = streamer("delete", "--yes", batches[0].id, cwd=tmp_path, base_url=base_url)
    assert deleted.returncode == 1
    assert "405" in deleted.stderr.splitlines()[-1]
    assert "Traceback" not in deleted.stderr
