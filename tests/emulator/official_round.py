"""One round of the official `anthropic` client against an emulator.

Create, poll, list over three pages and back, results, cancel, delete, and the errors.

Run it with any version of that client, in any environment; it imports nothing of ours:

    streamer serve --port 8123 --speed 100 --fill 25 &
    python official_round.py http://127.0.0.1:8123
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import anthropic

PAGE = 10  # batches a page; with 25 in the workspace and ours on top, listing takes three pages

QUESTION = {"role": "user", "content": "Which came first?"}
TOOL = {"name": "lookup", "description": "Look it up.", "input_schema": {"type": "object", "properties": {}}}


def params(**more: Any) -> dict[str, Any]:
    return {"model": "claude-opus-5-5", "max_tokens": 1024, "messages": [QUESTION], **more}


REQUESTS: list[Any] = [
    {"custom_id": "plain", "params": params()},
    {"custom_id": "thinking", "params": params(max_tokens=8000, thinking={"type": "enabled", "budget_tokens": 2000})},
    {"custom_id": "tool", "params": params(tools=[TOOL])},
    {"custom_id": "wrong", "params": params(max_tokens=-1)},
]


def check(fact: bool | None, what: object) -> None:
    if not fact:
        raise AssertionError(what)


def refused(call: Any, error: type[anthropic.APIStatusError], status: int, kind: str) -> None:
    """The call must fail with this error of the client, status and error type of the API."""
    try:
        call()
    except error as caught:
        body: Any = caught.body
        check(caught.status_code == status, caught)
        check(body["error"]["type"] == kind, body)
        check(caught.request_id is not None and caught.request_id == body["request_id"], caught.request_id)
        return
    raise AssertionError(f"expected {error.__name__}")


def create_and_poll(client: anthropic.Anthropic) -> str:
    batch = client.messages.batches.create(requests=REQUESTS)
    check(batch.processing_status == "in_progress", batch)
    check(batch.request_counts.processing == len(REQUESTS), batch)
    check(batch.results_url is None and batch.ended_at is None and batch.archived_at is None, batch)
    check((batch.expires_at - batch.created_at).total_seconds() == 86_400, batch)
    until = time.monotonic() + 60
    while batch.processing_status != "ended":
        check(time.monotonic() < until, batch)
        time.sleep(0.05)
        batch = client.messages.batches.retrieve(batch.id)
    check(batch.results_url is not None and batch.ended_at is not None, batch)
    counts = batch.request_counts
    check((counts.succeeded, counts.errored, counts.processing) == (3, 1, 0), counts)
    return batch.id


def read_results(client: anthropic.Anthropic, batch_id: str) -> None:
    results: dict[str, Any] = {record.custom_id: record.result for record in client.messages.batches.results(batch_id)}
    check(list(results) == ["plain", "thinking", "tool", "wrong"], list(results))
    plain, thinking, tool, wrong = results.values()
    check([block.type for block in plain.message.content] == ["text"], plain)
    check([block.type for block in thinking.message.content] == ["thinking", "text"], thinking)
    check(thinking.message.usage.output_tokens > 0 and thinking.message.usage.service_tier == "batch", thinking)
    check(tool.message.stop_reason == "tool_use" and tool.message.content[-1].name == "lookup", tool)
    check(wrong.type == "errored" and wrong.error.error.type == "invalid_request_error", wrong)


def list_pages(client: anthropic.Anthropic, newest: str) -> int:
    first = client.messages.batches.list(limit=PAGE)
    check(first.data[0].id == newest and first.has_more, first)
    second = first.get_next_page()
    third = second.get_next_page()
    check(len(third.data) > 0 and not third.has_more, third)
    seen = [batch.id for page in (first, second, third) for batch in page.data]
    check(len(set(seen)) == len(seen), seen)
    check([batch.id for batch in client.messages.batches.list(limit=PAGE)] == seen, "paging by iteration differs")
    back = client.messages.batches.list(limit=PAGE, before_id=third.data[0].id)
    check([batch.id for batch in back.data] == [batch.id for batch in second.data], back)
    times = [batch.created_at for page in (first, second, third) for batch in page.data]
    check(times == sorted(times, reverse=True), times)
    return len(seen)


def cancel_and_delete(client: anthropic.Anthropic, ended: str) -> None:
    batches = client.messages.batches
    batch = batches.create(requests=REQUESTS)
    refused(lambda: batches.delete(batch.id), anthropic.BadRequestError, 400, "invalid_request_error")
    batch = batches.cancel(batch.id)
    check(batch.processing_status == "canceling" and batch.cancel_initiated_at is not None, batch)
    while batch.processing_status != "ended":
        time.sleep(0.05)
        batch = batches.retrieve(batch.id)
    types = [record.result.type for record in batches.results(batch.id)]
    check(batch.request_counts.canceled == types.count("canceled") > 0, (batch, types))
    refused(lambda: batches.cancel(batch.id), anthropic.BadRequestError, 400, "invalid_request_error")
    for batch_id in (batch.id, ended):
        deleted = batches.delete(batch_id)
        check((deleted.id, deleted.type) == (batch_id, "message_batch_deleted"), deleted)
        refused(lambda gone=batch_id: batches.retrieve(gone), anthropic.NotFoundError, 404, "not_found_error")


def errors(client: anthropic.Anthropic) -> None:
    batches = client.messages.batches
    twice: list[Any] = [REQUESTS[0], REQUESTS[0]]
    long: list[Any] = [{"custom_id": "x" * 65, "params": params()}]
    for wrong in (twice, long, []):
        refused(
            lambda requests=wrong: batches.create(requests=requests),
            anthropic.BadRequestError,
            400,
            "invalid_request_error",
        )
    refused(lambda: batches.list(limit=1001), anthropic.BadRequestError, 400, "invalid_request_error")
    made_up_key = "sk-ant-" + "api03-not-a-key"
    stranger = client.with_options(api_key=made_up_key)
    refused(stranger.messages.batches.list, anthropic.AuthenticationError, 401, "authentication_error")


async def concurrently(base_url: str) -> int:
    """The asynchronous client, the beta resource, and several batches at a time."""
    async with anthropic.AsyncAnthropic(api_key="test-key", base_url=base_url) as client:
        batches = client.beta.messages.batches

        async def one() -> int:
            batch = await batches.create(requests=REQUESTS)
            while batch.processing_status != "ended":
                await asyncio.sleep(0.05)
                batch = await batches.retrieve(batch.id)
            count = 0
            async for record in await batches.results(batch.id):
                count += record.custom_id in ("plain", "thinking", "tool", "wrong")
            await batches.delete(batch.id)
            return count

        return sum(await asyncio.gather(*(one() for _ in range(5))))


def whole_round(base_url: str) -> dict[str, object]:
    """All of it; raises at the first thing that is not as it should be."""
    with anthropic.Anthropic(api_key="test-key", base_url=base_url, max_retries=0) as client:
        batch_id = create_and_poll(client)
        read_results(client, batch_id)
        listed = list_pages(client, batch_id)
        cancel_and_delete(client, batch_id)
        errors(client)
    records = asyncio.run(concurrently(base_url))
    check(records == 5 * len(REQUESTS), records)
    return {"anthropic": anthropic.__version__, "listed": listed, "pages": 3, "records_async": records, "ok": True}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(whole_round(sys.argv[1])) + "\n")
