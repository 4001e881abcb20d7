"""The server over real sockets: what travels, and the errors' shapes."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from streamer.emulator.server import serving
from streamer.emulator.settings import Settings

BATCHES = "/v1/messages/batches"
HEADERS = {"x-api-key": "test-key", "anthropic-version": "2026-10-21"}
PARAMS = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
KEYS = [
    "id", "type", "processing_status", "request_counts", "ended_at", "created_at", "expires_at", "archived_at",
    "cancel_initiated_at", "results_url",
]  # fmt: skip


class Answer:
    def __init__(self, answer: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        body = self.json
        assert list(body) == ["type", "error", "request_id"]
        assert body["request_id"] == self.headers["request-id"]
        return self.status, body["error"]["type"], body["error"]["message"]


class Asker:
    """Asks an emulator; bodies come as they travelled, compressed or not."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self.base_url = base_url

    async def __call__(self, method: str, path: str, headers: dict[str, str] = HEADERS, **more: Any) -> Answer:
        async with self._session.request(method, self.base_url + path, headers=headers, **more) as answer:
            return Answer(answer, await answer.read())

    async def create(self, *custom_ids: str, params: Any = PARAMS) -> Answer:
        requests = [{"custom_id": custom_id, "params": params} for custom_id in custom_ids]
        return await self("POST", BATCHES, json={"requests": requests})

    async def advance(self, seconds: float) -> None:
        assert (await self("POST", "/_emulator/advance", json={"seconds": seconds})).status == 200


@asynccontextmanager
async def asking(**switches: Any) -> AsyncIterator[Asker]:
    no_encoding = {"accept-encoding": "identity"}
    async with (
        serving(Settings(**switches)) as base_url,
        aiohttp.ClientSession(auto_decompress=False, headers=no_encoding) as session,
    ):
        yield Asker(session, base_url)


async def test_a_batch_from_create_to_delete() -> None:
    async with asking() as ask:
        created = await ask.create("a", "b")
        assert created.status == 200
        assert list(created.json) == KEYS
        assert list(created.json["request_counts"]) == ["processing", "succeeded", "errored", "canceled", "expired"]
        assert created.json["results_url"] is None
        assert "retry-after" not in created.headers
        path = f"{BATCHES}/{created.json['id']}"
        assert (await ask("GET", path)).headers["retry-after"] == "10"
        assert (await ask("GET", path + "/results")).error[:2] == (400, "invalid_request_error")

        await ask.advance(120)
        ended = await ask("GET", path)
        assert ended.json["processing_status"] == "ended"
        assert "retry-after" not in ended.headers
        assert ended.json["results_url"] == f"{ask.base_url}{path}/results"
        results = await ask("GET", path + "/results")
        assert [json.loads(line)["custom_id"] for line in results.body.split(b"\n")] == ["a", "b"]

        assert (await ask("DELETE", path)).json == {"id": created.json["id"], "type": "message_batch_deleted"}
        assert (await ask("GET", path)).error[:2] == (404, "not_found_error")


async def test_results_travel_as_the_real_ones_do() -> None:
    async with asking(fill_ended=1) as ask:
        [batch] = (await ask("GET", BATCHES)).json["data"]
        results = await ask("GET", f"{BATCHES}/{batch['id']}/results", {**HEADERS, "range": "bytes=5-"})
        assert results.status == 200
        assert results.headers["transfer-encoding"] == "chunked"
        assert results.headers["content-type"] == "application/x-jsonl"
        assert results.headers["content-disposition"] == f"attachment; filename*=utf-8''{batch['id']}_results.jsonl"
        assert not {"content-length", "etag", "accept-ranges", "last-modified"} & {
            name.lower() for name in results.headers
        }
        assert results.body.startswith(b"{")
        assert results.body.endswith(b"}")


async def test_results_without_content_type_and_with_a_url_elsewhere() -> None:
    async with asking(fill_ended=1, results_content_type="none", results_url="https://elsewhere.example/") as ask:
        [batch] = (await ask("GET", BATCHES)).json["data"]
        assert batch["results_url"] == f"https://elsewhere.example{BATCHES}/{batch['id']}/results"
        results = await ask("GET", f"{BATCHES}/{batch['id']}/results")
        assert "content-type" not in results.headers
    async with asking(fill_ended=1, results_url="relative") as ask:
        [batch] = (await ask("GET", BATCHES)).json["data"]
        assert batch["results_url"] == f"{BATCHES}/{batch['id']}/results"


async def test_compression_is_used_only_when_it_is_asked_for() -> None:
    async with asking(fill_ended=1, results_encoding="gzip") as ask:
        plain = await ask("GET", BATCHES)
        assert "content-encoding" not in plain.headers
        zipped = await ask("GET", BATCHES, {**HEADERS, "accept-encoding": "gzip, deflate"})
        assert zipped.headers["content-encoding"] == "gzip"
        assert gzip.decompress(zipped.body) == plain.body
        path = f"{BATCHES}/{plain.json['data'][0]['id']}/results"
        results = await ask("GET", path)
        packed = await ask("GET", path, {**HEADERS, "accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == results.body


@pytest.mark.parametrize("name", ["x-api-key", "authorization"])
async def test_either_header_carries_the_key(name: str) -> None:
    value = "only-this" if name == "x-api-key" else "Bearer only-this"
    async with asking(key=("only-this",)) as ask:
        assert (await ask("GET", BATCHES, {"anthropic-version": "2023-06-01", name: value})).status == 200
        refused = await ask("GET", BATCHES, {"anthropic-version": "2023-06-01", name: value + "x"})
        assert refused.error[:2] == (401, "authentication_error")


async def test_no_key_no_answer() -> None:
    async with asking() as ask:
        assert (await ask("GET", BATCHES, {"anthropic-version": "2023-06-01"})).error[0] == 401
        basic = {"anthropic-version": "2023-06-01", "authorization": "Basic abc"}
        assert (await ask("GET", BATCHES, basic)).error[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "sk-ant-" + "api03-secret"},
        {"x-api-key": " SK-ant-" + "secret"},
        {"authorization": "Bearer sk-ant-" + "oat01-secret"},
        {"authorization": "sk-ant-" + "secret"},
        {"x-api-key": "fine", "authorization": "Bearer sk-ant-" + "secret"},
    ],
)
async def test_what_looks_like_a_real_key_is_refused_and_not_repeated(headers: dict[str, str]) -> None:
    async with asking() as ask:
        answer = await ask("GET", BATCHES, {"anthropic-version": "2023-06-01", **headers})
        assert answer.error[:2] == (401, "authentication_error")
        assert "looks like a real one" in answer.error[2]
        assert b"secret" not in answer.body


@pytest.mark.parametrize("version", [{}, {"anthropic-version": "2020-01-01"}])
async def test_the_version_must_be_known(version: dict[str, str]) -> None:
    async with asking() as ask:
        assert (await ask("GET", BATCHES, {"x-api-key": "k", **version})).error[:2] == (400, "invalid_request_error")
    async with asking(missing_version_status=200) as ask:
        assert (await ask("GET", BATCHES, {"x-api-key": "k", **version})).status == 200


async def test_each_key_can_have_its_own_workspace() -> None:
    async with asking(workspace_per_key=True, fill=2) as ask:
        ours = (await ask("GET", BATCHES)).json["data"]
        other = {**HEADERS, "x-api-key": "other"}
        theirs = (await ask("GET", BATCHES, other)).json["data"]
        assert len(ours) == len(theirs) == 2
        foreign = f"{BATCHES}/{ours[0]['id']}"
        for method, path in [("GET", foreign), ("POST", foreign + "/cancel"), ("GET", foreign + "/results")]:
            assert (await ask(method, path, other)).error[:2] == (404, "not_found_error")


async def test_pages_by_query_under_beta() -> None:
    async with asking(fill=5) as ask:
        page = (await ask("GET", BATCHES + "?limit=2&beta=true")).json
        assert list(page) == ["data", "has_more", "first_id", "last_id"]
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][1]["id"])
        assert page["has_more"]
        rest = (await ask("GET", f"{BATCHES}?after_id={page['last_id']}")).json
        assert len(rest["data"]) == 3
        empty = (await ask("GET", f"{BATCHES}?after_id={rest['last_id']}")).json
        assert empty == {"data": [], "has_more": False, "first_id": None, "last_id": None}
        assert (await ask("GET", BATCHES + "?limit=1001")).error[0] == 400


async def test_bad_params_are_accepted_first_and_errored_later() -> None:
    async with asking() as ask:
        created = await ask.create("a", "b", params={**PARAMS, "max_tokens": "many"})
        assert created.json["request_counts"]["processing"] == 2
        await ask.advance(120)
        results = await ask("GET", f"{BATCHES}/{created.json['id']}/results")
        error = json.loads(results.body.split(b"\n")[0])["result"]["error"]["error"]
        assert error["message"] == "max_tokens: Input should be a valid integer"


async def test_forbidden_params_can_be_refused_at_once() -> None:
    stream = {**PARAMS, "stream": True}
    async with asking() as ask:
        assert (await ask.create("a", params=stream)).status == 200
    async with asking(forbidden_params_status=400) as ask:
        assert (await ask.create("a", params=stream)).error[:2] == (400, "invalid_request_error")
        assert (await ask("GET", BATCHES)).json["data"] == []


async def test_envelope_errors_and_the_connection_goes_on() -> None:
    async with asking(max_body_bytes=300_000) as ask:
        twice = await ask.create("a", "a")
        assert twice.error[:2] == (400, "invalid_request_error")
        long = await ask("POST", BATCHES, data=b"[" + b" " * 200_000 + b"]")
        assert long.error == (400, "invalid_request_error", "Input should be a valid dictionary")
        assert (await ask("POST", BATCHES, data=b'{"requests":[{')).error[0] == 400


async def test_a_body_above_the_limit_is_413_with_and_without_a_length() -> None:
    async with asking(max_body_bytes=1000) as ask:
        assert (await ask("POST", BATCHES, data=b" " * 1001)).error[:2] == (413, "request_too_large")

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b" " * 100

        assert (await ask("POST", BATCHES, data=pieces())).error[:2] == (413, "request_too_large")


async def test_a_compressed_body_is_understood() -> None:
    async with asking() as ask:
        body = gzip.compress(json.dumps({"requests": [{"custom_id": "a", "params": PARAMS}]}).encode())
        zipped = {**HEADERS, "content-encoding": "gzip"}
        assert (await ask("POST", BATCHES, zipped, data=body)).status == 200
        assert (await ask("POST", BATCHES, zipped, data=b"not gzip")).error[0] == 400


async def test_cancel_over_the_wire() -> None:
    async with asking(duration=100, duration_spread=0) as ask:
        batch_id = (await ask.create("a", "b", "c", "d")).json["id"]
        await ask.advance(50)
        canceled = await ask("POST", f"{BATCHES}/{batch_id}/cancel")
        assert canceled.json["processing_status"] == "canceling"
        assert canceled.json["cancel_initiated_at"] is not None
        await ask.advance(5)
        results = await ask("GET", f"{BATCHES}/{batch_id}/results")
        types = [json.loads(line)["result"]["type"] for line in results.body.split(b"\n")]
        assert sorted(types) == ["canceled", "canceled", "succeeded", "succeeded"]


async def test_an_archived_batch_can_be_seen_but_not_read() -> None:
    async with asking(fill_ended=1, fill_days=28) as ask:
        batch_id = (await ask("GET", BATCHES)).json["data"][0]["id"]
        archived = (await ask("GET", f"{BATCHES}/{batch_id}")).json["archived_at"]
        assert archived is not None
        assert (await ask("GET", f"{BATCHES}/{batch_id}/results")).error[:2] == (404, "not_found_error")


async def test_what_is_not_there() -> None:
    async with asking() as ask:
        assert (await ask("GET", "/v1/nothing")).error == (404, "not_found_error", "Not found")
        assert (await ask("PUT", BATCHES)).error[:2] == (405, "invalid_request_error")
        assert (await ask("GET", f"{BATCHES}/msgbatch_{'9' * 300}")).error[0] == 404


async def test_stats_count_what_was_asked() -> None:
    async with asking(fill_ended=1) as ask:
        batch_id = (await ask("GET", BATCHES)).json["data"][0]["id"]
        body = (await ask("GET", f"{BATCHES}/{batch_id}/results")).body
        await ask("GET", f"{BATCHES}/nonsense")
        stats = (await ask("GET", "/_emulator/stats", {})).json
        assert stats["requests"] == {"list": 1, "results": 1, "retrieve": 1, "stats": 1}
        assert stats["answers"] == {"200": 2, "404": 1}
        assert stats["bytes_sent"] > len(body)
        assert (stats["downloads"], stats["most_downloads"]) == (0, 1)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"seconds":-1}', b'{"seconds":"a"}', b"[]"])
async def test_the_clock_moves_only_forward(body: bytes) -> None:
    async with asking() as ask:
        assert (await ask("POST", "/_emulator/advance", data=body)).error[0] == 400


async def test_the_poll_hint_is_scaled_with_the_clock_and_can_be_left_out() -> None:
    async with asking(fill=1, speed=4) as ask:
        path = f"{BATCHES}/{(await ask('GET', BATCHES)).json['data'][0]['id']}"
        assert (await ask("GET", path)).headers["retry-after"] == "2.5"
    async with asking(fill=1, retry_after=0) as ask:
        path = f"{BATCHES}/{(await ask('GET', BATCHES)).json['data'][0]['id']}"
        assert "retry-after" not in (await ask("GET", path)).headers


async def test_a_throttled_download_can_be_left_at_any_time() -> None:
    async with asking(fill_ended=1, results_rate=50_000) as ask:
        batch_id = (await ask("GET", BATCHES)).json["data"][0]["id"]
        async with aiohttp.ClientSession() as session:
            answer = await session.get(f"{ask.base_url}{BATCHES}/{batch_id}/results", headers=HEADERS)
            assert 0 < len(await answer.content.readany()) <= 50_000
            stats = (await ask("GET", "/_emulator/stats")).json
            assert (stats["downloads"], stats["most_downloads"]) == (1, 1)
            answer.close()
        while (await ask("GET", "/_emulator/stats")).json["downloads"]:
            pass


async def test_a_client_that_leaves_in_the_middle_of_its_body_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    async with asking() as ask:
        host, port = ask.base_url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {BATCHES} HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\nanthropic-version: 2023-06-01\r\n"
        writer.write(f'{head}content-length: 500\r\n\r\n{{"requests":['.encode())
        await writer.drain()
        while not (await ask("GET", "/_emulator/stats")).json["requests"].get("create"):
            pass
        writer.close()
        await writer.wait_closed()
        assert (await ask("GET", BATCHES)).json["data"] == []
    assert not caplog.records


async def test_the_queue_takes_so_many_requests_and_has_room_again_when_a_batch_has_ended() -> None:
    async with asking(queue_limit=3, duration=60) as ask:
        assert (await ask.create("a", "b")).status == 200
        assert (await ask.create("c", "d")).error[:2] == (429, "rate_limit_error")
        assert (await ask.create("c")).status == 200
        await ask.advance(1000)
        assert (await ask.create("c", "d", "e")).status == 200


async def test_a_body_that_comes_twice_is_counted() -> None:
    async with asking() as ask:
        for custom_ids in ("a", "b", "a", "a"):
            await ask.create(*custom_ids)
        stats = (await ask("GET", "/_emulator/stats")).json
        assert (stats["batches_created"], stats["bodies_repeated"]) == (4, 2)


async def test_a_message_is_answered_at_once_or_refused_for_what_would_make_an_errored_record() -> None:
    async with asking() as ask:
        message = (await ask("POST", "/v1/messages", json=PARAMS)).json
        assert message["type"] == "message"
        assert message["usage"]["service_tier"] == "standard"
        assert (await ask("POST", "/v1/messages", json=PARAMS | {"tools": 5})).error[:2] == (
            400,
            "invalid_request_error",
        )
        assert (await ask("POST", "/v1/messages", json=PARAMS | {"model": "x"})).error[:2] == (404, "not_found_error")
        assert (await ask("POST", "/v1/messages", data=b"{")).error[0] == 400
        assert (await ask("POST", "/v1/messages", headers={}, json=PARAMS)).error[0] == 401
        assert (await ask("GET", "/_emulator/stats")).json["requests"]["message"] == 5
