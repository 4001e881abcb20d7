"""The Python reference: three requests classified, from creating the batch to printing the results sorted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.guides.conftest import Ran, jq

EXAMPLE = """
import anthropic
import time
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from anthropic.types.messages.batch_create_params import Request

client = anthropic.Anthropic()

items_to_classify = [
    "The product quality is excellent!",
    "Terrible customer service, never again.",
    "It's okay, nothing special.",
]

requests = [
    Request(
        custom_id=f"classify-{i}",
        params=MessageCreateParamsNonStreaming(
            model="claude-haiku-5-5",
            max_tokens=50,
            messages=[{
                "role": "user",
                "content": f"Classify as positive/negative/neutral (one word): {text}"
            }]
        )
    )
    for i, text in enumerate(items_to_classify)
]

batch = client.messages.batches.create(requests=requests)
print(f"Created batch: {batch.id}")

while True:
    batch = client.messages.batches.retrieve(batch.id)
    if batch.processing_status == "ended":
        break
    time.sleep(0.1)

results = {}
for result in client.messages.batches.results(batch.id):
    if result.result.type == "succeeded":
        results[result.custom_id] = result.result.message.content[0].text

for custom_id, classification in sorted(results.items()):
    print(f"{custom_id}: {classification}")
"""

PARTS = """
import anthropic
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from anthropic.types.messages.batch_create_params import Request

client = anthropic.Anthropic()
shared_system = [
    {"type": "text", "text": "You are a literary analyst."},
    {"type": "text", "text": "A long document. " * 500, "cache_control": {"type": "ephemeral"}},
]
message_batch = client.messages.batches.create(
    requests=[
        Request(
            custom_id=f"analysis-{i}",
            params=MessageCreateParamsNonStreaming(
                model="claude-opus-5-5",
                max_tokens=1024,
                system=shared_system,
                messages=[{"role": "user", "content": question}]
            )
        )
        for i, question in enumerate(["Who?", "Why?"])
    ]
)
print(f"Batch ID: {message_batch.id}")
print(f"Status: {message_batch.processing_status}")
cancelled = client.messages.batches.cancel(message_batch.id)
print(f"Status: {cancelled.processing_status}")

import time

while True:
    batch = client.messages.batches.retrieve(message_batch.id)
    if batch.processing_status == "ended":
        break
    print(f"Status: {batch.processing_status}, processing: {batch.request_counts.processing}")
    time.sleep(0.1)

print("Batch complete!")
for result in client.messages.batches.results(message_batch.id):
    match result.result.type:
        case "succeeded":
            print(f"[{result.custom_id}] {result.result.message.content[0].text[:100]}")
        case "errored":
            if result.result.error.type == "invalid_request":
                print(f"[{result.custom_id}] Validation error - fix request and retry")
            else:
                print(f"[{result.custom_id}] Server error - safe to retry")
        case "canceled":
            print(f"[{result.custom_id}] Canceled")
        case "expired":
            print(f"[{result.custom_id}] Expired - resubmit")
"""


def test_the_example_prints_three_classifications(example: Ran) -> None:
    created, *classified = example(EXAMPLE).splitlines()
    assert created.startswith("Created batch: msgbatch_")
    assert [line.partition(": ")[0] for line in classified] == ["classify-0", "classify-1", "classify-2"]
    assert all(line.partition(": ")[2] for line in classified)


def test_one_command_does_the_same(tmp_path: Path, ours: Ran) -> None:
    (tmp_path / "items.csv").write_text(
        'n,item\n0,The product quality is excellent!\n1,"Terrible customer service, never again."\n'
        '2,"It\'s okay, nothing special."\n'
    )
    request = {
        "custom_id": "classify-{n}",
        "params": {
            "model": "claude-haiku-5-5",
            "max_tokens": 50,
            "messages": [{"role": "user", "content": "Classify as positive/negative/neutral (one word): {item}"}],
        },
    }
    (tmp_path / "request.json").write_text(json.dumps(request))
    words = ("--template", "request.json", "--to", "-", "--text", "--poll-interval", "0.1")
    lines = ours("process", "items.csv", *words)
    printed = sorted(jq(r'"\(.custom_id): \(.text)"', lines).splitlines())
    assert [line.partition(": ")[0] for line in printed] == ["classify-0", "classify-1", "classify-2"]
    asked = [json.loads(line) for line in (tmp_path / "items.csv.streamer" / "requests.jsonl").read_text().splitlines()]
    assert asked[2]["params"]["messages"][0]["content"].endswith("(one word): It's okay, nothing special.")


@pytest.mark.parametrize("service", [3600], indirect=True)
def test_its_parts_run_too_with_a_shared_prefix_and_a_cancel(example: Ran) -> None:
    printed = example(PARTS)
    assert "Status: in_progress\nStatus: canceling\n" in printed
    assert printed.endswith("Batch complete!\n[analysis-0] Canceled\n[analysis-1] Canceled\n")
