"""Betas, headers of the user's own, and keys that expire: what a server sees of them, and who does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import RetryPolicy
from streamer.api.transport import Timeouts
from streamer.errors import ApiError, AuthenticationError, ConfigurationError, GatewayError, TransportError
from tests.api.servers import KEY, LONG_KEY, Server, batch, refusal, reply, targets
from tests.api.test_client import REQUEST, client_of
from tests.api.test_masking import pieces_in
from tests.api.test_secrecy import crash_report, everything_in, moved, read_results
from tests.clock import FakeClock

BETAS = ["output-300k-2026-03-24", "context-1m-2025-08-07"]
SECRET = "gw-7Kq2vX9LmZ41TbYw8RsPd"
GOOGLE = "/v1/projects/p/locations/global/workspaces/w/invoke"


async def ask_everything(client: Client) -> None:
    await client.create([REQUEST])
    await client.retrieve("msgbatch_1")
    await client.list_page()
    await client.cancel("msgbatch_1")
    await client.delete("msgbatch_1")
    await read_results(client)


async def test_betas_and_headers_go_where_the_official_client_sends_them() -> None:
    answer = reply(200, batch(results_url="/results", processing_status="ended", has_more=False, data=[]))
    headers = {"anthropic-workspace-id": "wrkspc_01", "X-Gateway": SECRET}
    async with (
        Server([answer]) as server,
        client_of(server, betas=BETAS, headers=headers) as client,
    ):
        await ask_everything(client)
        ours = list(server.seen)
        server.seen.clear()

        def official() -> None:
            with anthropic.Anthropic(api_key=KEY, base_url=server.url, default_headers=headers) as theirs:
                batches = theirs.beta.messages.batches
                batches.create(requests=[REQUEST], betas=BETAS)  # type: ignore[list-item]  # a plain dict
                batches.retrieve("msgbatch_1", betas=BETAS)
                batches.list(betas=BETAS)
                batches.cancel("msgbatch_1", betas=BETAS)
                batches.delete("msgbatch_1", betas=BETAS)
                for _ in batches.results("msgbatch_1", betas=BETAS):
                    pass

        await asyncio.to_thread(official)
        theirs = server.seen
    names = ("anthropic-beta", "anthropic-workspace-id", "x-gateway")
    assert {seen.headers["anthropic-beta"] for seen in ours} == {",".join(BETAS)}
    by_target = {
        (seen.method, seen.target.partition("?")[0]): seen for seen in theirs if "anthropic-beta" in seen.headers
    }
    assert len(by_target) == len(ours) == 6
    for seen in ours:
        official_one = by_target[seen.method, seen.target.partition("?")[0]]
        assert [seen.headers[name] for name in names] == [official_one.headers[name] for name in names]


async def test_own_headers_go_to_no_other_host() -> None:
    async with Server([reply(200, b"{}\n")]) as other, Server([moved(f"{other.url}/r"), reply(200, b"{}\n")]) as server:
        trusted = [f"127.0.0.1:{other.port}"]
        options: dict[str, Any] = {"trusted_hosts": trusted, "headers": {"X-Gateway": SECRET}, "betas": BETAS}
        async with client_of(server, **options) as client:
            await read_results(client)
            await read_results(client, f"{other.url}/signed")
            await read_results(client)
    assert len(other.seen) == 2
    assert SECRET not in f"{other.seen}"
    assert all("anthropic-beta" not in seen.headers for seen in other.seen)
    assert [seen.headers["x-gateway"] for seen in server.seen] == [SECRET, SECRET]


async def test_no_error_repr_or_log_holds_the_value_of_a_header(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamer")
    echo = reply(529, {"type": "error", "error": {"type": "x", "message": "." * 280 + SECRET}})
    options = ClientOptions(headers={"X-Gateway": f"Bearer {SECRET}"}, retry=RetryPolicy(attempts=2), betas=BETAS)
    async with (
        Server([echo]) as server,
        Client(api_key=KEY, base_url=server.url, options=options, clock=FakeClock()) as client,
    ):
        with pytest.raises(ApiError) as caught:
            await client.retrieve("msgbatch_1")
        shown = "\n".join(everything_in(client, set()))
    for text in (crash_report(caught.value), shown, repr(options), caplog.text):
        assert pieces_in(text, SECRET, length=8) == []
    assert server.seen[0].headers["x-gateway"] == f"Bearer {SECRET}"
    assert "headers sent with each request: x-gateway" in caplog.text
    assert f"betas asked for: {', '.join(BETAS)}" in caplog.text


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Content-Length": SECRET}, "content-length is set by the client"),
        ({"host": SECRET}, "host is set by the client"),
        ({"Accept-Encoding": SECRET}, "accept-encoding is set by the client"),
        ({"transfer-encoding": SECRET}, "transfer-encoding is set by the client"),
        ({"anthropic-beta": SECRET}, "--beta NAME"),
        ({"proxy-authorization": SECRET}, "belong into its URL"),
        ({"x-api-key": SECRET}, "the one that the key in api_key is sent in; give one of the two"),
        ({"X-A": SECRET, "x-a": SECRET}, "x-a is given twice"),
        ({"X A": SECRET}, "is not the name of a header"),
        ({"": SECRET}, "is not the name of a header"),
        ({"X-A": f"{SECRET}\r\nx-evil: 1"}, "not printable ASCII"),
        ({"X-A": f"{SECRET}é"}, "not printable ASCII"),
        ({"X-A": " "}, "is empty"),
        ({"X-A": SECRET.encode()}, "x-a is a bytes, not a string"),
        ({LONG_KEY: SECRET}, "looks like an API key"),
        ([("X-A", SECRET)], "headers is a mapping of names to values, not a list"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(headers: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        Client(api_key=KEY, base_url="http://127.0.0.1:9", options=ClientOptions(headers=headers))
    assert pieces_in(crash_report(caught.value), SECRET, length=8) == []


@pytest.mark.parametrize("betas", ["output-300k-2026-03-24", 5, ["a,b"], [""], ["a\r\nx: 1"], [1], [LONG_KEY]])
def test_what_is_no_beta_is_refused(betas: Any) -> None:
    with pytest.raises(ConfigurationError, match="beta") as caught:
        Client(api_key=KEY, options=ClientOptions(betas=betas))
    assert LONG_KEY not in str(caught.value)


async def test_a_gateways_own_credential_goes_beside_the_key_or_is_the_key() -> None:
    beside, alone = {"Authorization": f"Bearer {SECRET}"}, {"X-Api-Key": SECRET}
    async with Server([reply(200, batch()), reply(200, batch()), refusal(401)]) as server:
        async with client_of(server, headers=beside) as client:
            await client.retrieve("msgbatch_1")
        async with Client(base_url=server.url, options=ClientOptions(headers=alone)) as client:
            await client.retrieve("msgbatch_1")
            with pytest.raises(AuthenticationError, match="check the key in the header x-api-key"):
                await client.retrieve("msgbatch_1")
    assert (server.seen[0].headers["authorization"], server.seen[0].headers["x-api-key"]) == (f"Bearer {SECRET}", KEY)
    assert server.seen[1].headers["x-api-key"] == SECRET
    with pytest.raises(ConfigurationError, match="the key in auth_token is sent in"):
        Client(auth_token=KEY, options=ClientOptions(headers=beside))


class Tokens:
    """A provider of tokens that expire, and how often it was asked, at once and in all."""

    def __init__(self, *given: object) -> None:
        self.given = list(given)
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0

    def give(self) -> Any:
        self.asked += 1
        thing = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        if isinstance(thing, Exception):
            raise thing
        return thing

    async def give_later(self) -> Any:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return self.give()


@pytest.mark.parametrize("later", [False, True])
async def test_a_token_is_asked_for_before_each_request(later: bool) -> None:
    tokens = Tokens("token-number-1", " token-number-2\n")
    provider: Callable[[], Any] = tokens.give_later if later else tokens.give
    base = server_url = ""
    async with Server([reply(200, batch(results_url=None))]) as server:
        server_url = server.url
        base = server_url + GOOGLE
        async with Client(auth_token=provider, base_url=base) as client:
            await client.retrieve("msgbatch_1")
            await client.create([REQUEST])
    assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer token-number-1", "Bearer token-number-2"]
    assert list(targets(server)) == [
        f"GET {GOOGLE}/v1/messages/batches/msgbatch_1",
        f"POST {GOOGLE}/v1/messages/batches",
    ]
    assert tokens.asked == 2


async def test_a_refused_token_is_replaced_once_and_then_the_refusal_is_believed() -> None:
    expired = refusal(401, kind="authentication_error")
    async with Server([expired, reply(200, batch()), expired]) as server:
        tokens = Tokens("token-number-1", "token-number-2", "token-number-3")
        async with Client(api_key=tokens.give, base_url=server.url) as client:
            await client.create([REQUEST])  # refused, it made nothing
            assert client.requests == 2
            with pytest.raises(AuthenticationError, match="check the key in the callable given as api_key"):
                await client.retrieve("msgbatch_1")
    keys = [seen.headers["x-api-key"][-1] for seen in server.seen]
    assert keys == ["1", "2", "3"]  # the same token again is not worth another request
    assert tokens.asked == 4
    assert server.seen[0].body == server.seen[1].body != b""


async def test_tokens_are_asked_for_one_at_a_time() -> None:
    tokens = Tokens("token-number-1")
    async with Server([reply(200, batch())]) as server:
        async with Client(auth_token=tokens.give_later, base_url=server.url) as client:
            await asyncio.gather(*(client.retrieve("msgbatch_1") for _ in range(20)))
    assert (tokens.asked, tokens.most_at_once) == (20, 1)


async def test_a_provider_that_fails_is_asked_again_and_then_named() -> None:
    failing = Tokens(OSError(f"no route, with {LONG_KEY}"), "token-number-1", RuntimeError("revoked"))
    async with Server([reply(200, batch())]) as server:
        async with Client(auth_token=failing.give, base_url=server.url, clock=FakeClock()) as client:
            assert (await client.retrieve("msgbatch_1")).id == "msgbatch_1"
            with pytest.raises(
                TransportError, match="callable given as auth_token failed: RuntimeError: revoked"
            ) as caught:
                await client.create([REQUEST])
    assert len(server.seen) == 1
    assert type(caught.value) is TransportError  # nothing was sent, so there is no batch
    assert pieces_in(crash_report(caught.value)) == []


async def test_a_provider_that_never_answers_is_not_waited_for() -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    short = ClientOptions(timeouts=Timeouts(answer=0.01), retry=RetryPolicy(attempts=2))
    async with Client(auth_token=never, base_url="http://127.0.0.1:9", options=short, clock=FakeClock()) as client:
        with pytest.raises(TransportError, match=r"gave no key within 0\.01 s"):
            await client.retrieve("msgbatch_1")


@pytest.mark.parametrize(
    ("given", "says"),
    [(None, "gave a NoneType, not text"), (b"x", "gave a bytes"), ("", "is empty"), ("a\nb", "white")],
)
async def test_a_provider_that_gives_no_key_is_told_at_once(given: object, says: str) -> None:
    async with Client(api_key=Tokens(given).give, base_url="http://127.0.0.1:9") as client:
        with pytest.raises(ConfigurationError, match=says):
            await client.retrieve("msgbatch_1")


async def test_every_token_that_was_given_is_masked() -> None:
    first, second = "first-token-0123456789", "second-token-abcdefgh"
    script = [reply(200, batch()), reply(400, f"you sent {first} and {second}".encode())]
    async with (
        Server(script) as server,
        Client(
            auth_token=Tokens(first, second).give,
            base_url=server.url,
            options=ClientOptions(retry=RetryPolicy(attempts=1)),
        ) as client,
    ):
        await client.retrieve("msgbatch_1")
        with pytest.raises(GatewayError, match=r"you sent \*\*\*\* and \*\*\*\*") as caught:
            await client.retrieve("msgbatch_1")
    assert first not in crash_report(caught.value)
    assert second not in crash_report(caught.value)
