"""The guide that goes call by call: create, poll, list, results, cancel."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.guides.conftest import Ran, jq

CREATE = """
import anthropic
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from anthropic.types.messages.batch_create_params import Request

client = anthropic.Anthropic()

message_batch = client.messages.batches.create(
    requests=[
        Request(
            custom_id="my-first-request",
            params=MessageCreateParamsNonStreaming(
                model="claude-opus-5-5",
                max_tokens=1024,
                messages=[{
                    "role": "user",
                    "content": "Hello, world",
                }]
            )
        ),
        Request(
            custom_id="my-second-request",
            params=MessageCreateParamsNonStreaming(
                model="claude-opus-5-5",
                max_tokens=1024,
                messages=[{
                    "role": "user",
                    "content": "Hi again, friend",
                }]
            )
        )
    ]
)
print(message_batch)
"""

POLL = """
import anthropic
import time

MESSAGE_BATCH_ID = "BATCH"
client = anthropic.Anthropic()

message_batch = None
while True:
    message_batch = client.messages.batches.retrieve(
        MESSAGE_BATCH_ID
    )
    if message_batch.processing_status == "ended":
        break

    print(f"Batch {MESSAGE_BATCH_ID} is still processing...")
    time.sleep(0.1)
print(message_batch)
"""

LIST = """
import anthropic

client = anthropic.Anthropic()

# Automatically fetches more pages as needed.
for message_batch in client.messages.batches.list(
    limit=20
):
    print(message_batch)
"""

RESULTS = """
import anthropic

MESSAGE_BATCH_ID = "BATCH"
client = anthropic.Anthropic()

# Stream results file in memory-efficient chunks, processing one at a time
for result in client.messages.batches.results(
    MESSAGE_BATCH_ID,
):
    print(result)
"""

CANCEL = """
import anthropic

MESSAGE_BATCH_ID = "BATCH"
client = anthropic.Anthropic()

message_batch = client.messages.batches.cancel(
    MESSAGE_BATCH_ID,
)
print(message_batch)
"""


def created(example: Ran) -> str:
    printed = example(CREATE)
    assert "processing_status='in_progress'" in printed
    assert "processing=2" in printed
    found = re.search(r"msgbatch_\w+", printed)
    assert found is not None
    return found[0]


def test_each_call_runs_as_printed(example: Ran) -> None:
    batch_id = created(example)
    assert "processing_status='ended'" in example(POLL.replace("BATCH", batch_id)).splitlines()[-1]
    assert batch_id in example(LIST)
    results = example(RESULTS.replace("BATCH", batch_id)).splitlines()
    assert sorted(re.findall(r"custom_id='([\w-]+)'", "\n".join(results))) == ["my-first-request", "my-second-request"]


@pytest.mark.parametrize("service", [3600], indirect=True)
def test_a_batch_is_canceled_as_printed_and_by_our_own_command(tmp_path: Path, example: Ran, ours: Ran) -> None:
    assert "processing_status='canceling'" in example(CANCEL.replace("BATCH", created(example)))
    params = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello, world"}]}
    (tmp_path / "requests.jsonl").write_text(json.dumps({"custom_id": "my-first-request", "params": params}))
    batch_id = ours("submit", "requests.jsonl").strip()
    ours("cancel", batch_id, "--yes")
    canceled = ours("run", batch_id, "--to", "-", "--poll-interval", "0.1", code=1)  # nothing succeeded
    assert jq(".result.type", canceled).split() == ["canceled"]


def test_our_own_commands_do_the_same(tmp_path: Path, ours: Ran) -> None:
    def request(custom_id: str, content: str) -> str:
        params = {"model": "claude-opus-5-5", "max_tokens": 1024, "messages": [{"role": "user", "content": content}]}
        return json.dumps({"custom_id": custom_id, "params": params})

    lines = [request("my-first-request", "Hello, world"), request("my-second-request", "Hi again, friend")]
    (tmp_path / "requests.jsonl").write_text("\n".join(lines))
    batch_id = ours("submit", "requests.jsonl").strip()
    assert batch_id in ours("list")
    results = ours("run", batch_id, "--to", "-", "--poll-interval", "0.1")
    assert sorted(jq(".custom_id", results).split()) == ["my-first-request", "my-second-request"]
    assert "ended" in ours("show", batch_id)
