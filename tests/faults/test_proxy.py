"""Which requests are hit, what comes in place of an answer, and what the proxy tells of itself."""

from __future__ import annotations

import json

import pytest

from streamer.emulator.running import RunningEmulator
from tests.faults.raw import BATCHES, KEY, Truth, ask, connected, damaging, request, stats, until

CREATE = json.dumps(
    {
        "requests": [
            {
                "custom_id": "a",
                "params": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
            }
        ]
    }
).encode()


async def test_results_url_leads_back_through_the_proxy(truth: Truth) -> None:
    async with damaging(truth.upstream) as base_url:
        one = (await ask(base_url, truth.poll)).json()
        page = (await ask(base_url, BATCHES)).json()
    assert one["results_url"] == base_url + truth.path
    assert {batch["results_url"].startswith(base_url) for batch in page["data"]} == {True}


async def test_a_foreign_results_url_is_left_alone() -> None:
    from streamer.faults.damage import homed

    for url in (b"http://up:12/x", b"http://up.evil/x", b"https://up:1/x", b"/relative"):
        body = b'{"results_url":"' + url + b'"}'
        assert homed(body, "http://up:1", "http://here") == body


async def test_status_has_the_api_s_error_body_and_the_headers_asked_for(truth: Truth) -> None:
    async with damaging(truth.upstream, "poll:status=429;retry-after=Wed, 21 Oct 2026 07:28:00 GMT,n=2") as base_url:
        answers = [await ask(base_url, truth.poll) for _ in range(3)]
        assert (await ask(base_url, truth.path)).content == truth.results
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert answers[0].json()["error"]["type"] == "rate_limit_error"


async def test_results_that_are_not_there_for_a_while_batch_by_batch(emulator: RunningEmulator) -> None:
    async with damaging(emulator.base_url, "results:status=404,n=2,per=batch") as base_url:
        ids = [batch["id"] for batch in (await ask(base_url, BATCHES)).json()["data"]][:2]
        for batch_id in ids:
            asked = [(await ask(base_url, f"{BATCHES}/{batch_id}/results")).status for _ in range(3)]
            assert asked == [404, 404, 200]


async def test_results_url_is_null_for_some_polls_though_the_batch_has_ended(truth: Truth) -> None:
    async with damaging(truth.upstream, "null_results_url,n=2") as base_url:
        seen = [(await ask(base_url, truth.poll)).json() for _ in range(3)]
    assert [batch["processing_status"] for batch in seen] == ["ended"] * 3
    assert [batch["results_url"] for batch in seen] == [None, None, base_url + truth.path]


async def test_polls_of_batches_in_progress_do_not_count_as_ended(emulator: RunningEmulator) -> None:
    async with damaging(emulator.base_url, "null_results_url,n=1") as base_url:
        created = (await ask(base_url, BATCHES, method="POST", body=CREATE)).json()
        first = (await ask(base_url, f"{BATCHES}/{created['id']}")).json()
        assert first["processing_status"] == "in_progress"
        assert (await stats(base_url))["faults"] == {"null_results_url,n=1": 0}


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        ("create:fin@head", 1),  # the answer is lost
        ("create:status=500;accepted", 1),
        ("create:status=500", 0),
        ("create:refuse", 0),  # the request is lost
    ],
)
async def test_a_create_that_fails_was_accepted_or_not(emulator: RunningEmulator, fault: str, accepted: int) -> None:
    before = emulator.stats()["batches_created"]
    async with damaging(emulator.base_url, fault) as base_url:
        got = await ask(base_url, BATCHES, method="POST", body=CREATE)
    assert got.data[9:12] == (b"500" if "status" in fault else b"")
    assert emulator.stats()["batches_created"] - before == accepted


async def test_a_chunked_create_passes_whole(emulator: RunningEmulator) -> None:
    async with damaging(emulator.base_url) as base_url, connected(base_url) as (reader, writer):
        head = request(BATCHES, {"transfer-encoding": "chunked"}, method="POST")
        half = len(CREATE) // 2
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in (CREATE[:half], CREATE[half:], b"")]
        writer.write(head + b"".join(chunks))
        assert b'"processing_status":"in_progress"' in await reader.read()


async def test_bodies_that_are_no_batch(truth: Truth) -> None:
    async def body(kind: str) -> tuple[str, bytes]:
        async with damaging(truth.upstream, f"poll:body={kind}") as base_url:
            got = await ask(base_url, truth.poll)
            assert got.status == 200
            return got.headers["content-type"], got.body

    kind, page = await body("html")
    assert (kind, page[:9]) == ("text/html", b"<!doctype")
    assert await body("empty") == ("application/json", b"")
    assert await body("object") == ("application/json", b"{}")
    assert (await body("text"))[1].startswith(b"upstream connect error")


@pytest.mark.parametrize(
    ("fault", "location"),
    [
        ("redirect=http://127.0.0.1:9", "http://127.0.0.1:9{path}"),
        ("redirect=http://127.0.0.1:9/elsewhere?a=1,2", "http://127.0.0.1:9/elsewhere?a=1,2"),
        ("redirect=self", "{path}"),
    ],
)
async def test_redirects(truth: Truth, fault: str, location: str) -> None:
    async with damaging(truth.upstream, fault) as base_url:
        got = await ask(base_url, truth.path)
    assert (got.status, got.headers["location"]) == (307, location.format(path=truth.path))


async def test_the_first_of_two_faults_that_contradict_each_other_strikes(truth: Truth) -> None:
    async with damaging(truth.upstream, "fin@10,n=1", "rst@20") as base_url:
        first, second = [await ask(base_url, truth.path) for _ in range(2)]
        assert (await stats(base_url))["faults"] == {"fin@10,n=1": 1, "rst@20": 1}
    assert (len(first.content), first.reset, len(second.content), second.reset) == (10, False, 20, True)


async def test_many_requests_pass_on_one_connection(truth: Truth) -> None:
    async with damaging(truth.upstream, "results:gzip") as base_url:
        async with connected(base_url) as (reader, writer):
            writer.write(request(truth.poll, last=False) + request(truth.path, last=False) + request(truth.poll))
            data = await reader.read(-1)
        assert data.count(b"HTTP/1.1 200 OK") == 3
        assert (await stats(base_url))["connections"] == 1


async def test_what_it_counts_and_that_it_tells_no_key(truth: Truth) -> None:
    async with damaging(truth.upstream) as base_url:
        await ask(base_url, truth.path, {"range": "bytes=0-"})
        async with connected(base_url) as (reader, writer):
            writer.write(b"GET " + truth.poll.encode() + b" HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 401 ")
        told = await ask(base_url, "/_faults/stats")
    assert KEY not in told.data.decode()
    assert told.json() == {
        "connections": 2,
        "open_connections": 0,
        "requests": {"results": 1, "poll": 1},
        "with_key": {"results": 1},
        "with_range": {"results": 1},
        "faults": {},
    }


async def test_an_upstream_that_is_not_there_is_502_and_says_so(unused_tcp_port: int) -> None:
    async with damaging(f"http://127.0.0.1:{unused_tcp_port}") as base_url:
        got = await ask(base_url, BATCHES)
    assert got.status == 502
    assert str(unused_tcp_port) in got.json()["error"]["message"]


async def test_an_upstream_that_breaks_off_breaks_the_answer_off(truth: Truth) -> None:
    async with damaging(truth.upstream, "rst@5000") as broken, damaging(broken) as base_url:
        got = await ask(base_url, truth.path)
    assert truth.results.startswith(got.content)
    assert not got.finished


async def test_nonsense_in_place_of_a_request_is_400(truth: Truth) -> None:
    async with damaging(truth.upstream) as base_url, connected(base_url) as (reader, writer):
        writer.write(f"key {KEY}\r\n{KEY}\r\n\r\n".encode())
        data = await reader.read()
    assert data.startswith(b"HTTP/1.1 400 ")
    assert KEY not in data.decode()


async def test_a_client_that_leaves_within_its_request_takes_nothing_along(emulator: RunningEmulator) -> None:
    before = emulator.stats()["batches_created"]
    async with damaging(emulator.base_url) as base_url:
        async with connected(base_url) as (_, writer):
            head, _, body = request(BATCHES, method="POST", body=CREATE).partition(b"\r\n\r\n")
            writer.write(head + b"\r\n\r\n" + body[:10])
            await writer.drain()
        await until(base_url, lambda counts: counts["open_connections"] == 0)
        assert (await ask(base_url, BATCHES)).status == 200
    assert emulator.stats()["batches_created"] == before


async def test_an_upstream_that_hangs_up_without_an_answer_is_502(truth: Truth) -> None:
    async with damaging(truth.upstream, "refuse") as broken, damaging(broken) as base_url:
        got = await ask(base_url, truth.path)
    assert (got.status, "without an answer" in got.json()["error"]["message"]) == (502, True)


async def test_a_client_that_waits_to_be_told_to_go_on_is_told(emulator: RunningEmulator) -> None:
    async with damaging(emulator.base_url) as base_url, connected(base_url) as (reader, writer):
        head, _, body = request(BATCHES, {"expect": "100-continue"}, method="POST", body=CREATE).partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
