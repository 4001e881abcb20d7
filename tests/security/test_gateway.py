"""A gateway that passes on a results_url which is not its own: refused, trusted without the key, or rebased."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.types import Batch
from streamer.cli.options import add_client_options, make_client
from streamer.cli.parser import Parser
from streamer.errors import ApiError, ConfigurationError, GatewayError, StreamerError, UntrustedHostError
from tests.api.servers import KEY, Server, batch, refusal, reply, targets
from tests.clock import FakeClock

PREFIX = "/anthropic"
UPSTREAM = "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results"
# Hosts that only the gateway's own network knows, schemes it should not have used, and what is no URL at all.
UNDIALABLE = [
    UPSTREAM,
    "http://internal-gateway:8000/v1/messages/batches/msgbatch_1/results",
    "https://0.0.0.0:8000/results",
    "http://results.invalid/x",
    "not a url",
]
RECORD = b'{"custom_id":"a","result":{"type":"canceled"}}\n'


def gateway_client(server: Server, **options: object) -> Client:
    chosen = ClientOptions(**options)  # type: ignore[arg-type]  # any option
    return Client(api_key=KEY, base_url=server.url + PREFIX, options=chosen, clock=FakeClock())


async def results_of(client: Client, results_url: str, batch_id: str = "msgbatch_1") -> bytes:
    async with client.results(Batch(batch_id, "ended", results_url=results_url)) as body:
        return b"".join([chunk async for chunk in body])


@pytest.mark.parametrize("results_url", UNDIALABLE)
async def test_by_default_nothing_is_sent_and_the_refusal_names_what_would_help(results_url: str) -> None:
    async with Server([reply(200, RECORD)]) as server, gateway_client(server) as client:
        with pytest.raises(UntrustedHostError) as caught:
            await results_of(client, results_url)
    assert server.seen == []
    assert f"--rebase-results asks for them at 127.0.0.1:{server.port}" in str(caught.value)
    if results_url == UPSTREAM:
        assert "--trust-host api.anthropic.com" in str(caught.value)


@pytest.mark.parametrize("results_url", UNDIALABLE)
async def test_rebased_results_come_from_the_gateway_under_its_prefix(results_url: str) -> None:
    async with (
        Server([reply(200, RECORD, content_type="application/x-jsonl")]) as server,
        gateway_client(server, rebase_results=True) as client,
    ):
        assert await results_of(client, results_url) == RECORD
    assert list(targets(server)) == [f"GET {PREFIX}/v1/messages/batches/msgbatch_1/results"]
    assert server.seen[0].headers["x-api-key"] == KEY


@pytest.mark.parametrize("batch_id", ["../../v1/keys", "a/b", "a?x=1", "", "a%2fb", "a\nb"])
async def test_an_id_that_a_gateway_made_up_cannot_change_the_path(batch_id: str) -> None:
    async with Server([reply(200, RECORD)]) as server, gateway_client(server, rebase_results=True) as client:
        with pytest.raises(ConfigurationError, match="is not a batch id"):
            await results_of(client, UPSTREAM, batch_id)
    assert server.seen == []


async def test_a_rebased_request_that_is_redirected_elsewhere_is_refused_all_the_same() -> None:
    async with Server([reply(200)]) as other:
        moved = reply(302, b"", {"location": f"{other.url}/results"})
        async with Server([moved]) as server, gateway_client(server, rebase_results=True) as client:
            with pytest.raises(GatewayError, match="redirect of results of msgbatch_1"):
                await results_of(client, UPSTREAM)
        assert other.seen == []


async def test_a_gateway_without_the_results_endpoint_is_an_error_that_names_the_batch() -> None:
    async with Server([refusal(400)]) as server, gateway_client(server, rebase_results=True) as client:
        with pytest.raises(ApiError, match="results of msgbatch_1: the API answered 400"):
            await results_of(client, UPSTREAM)


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ([], lambda error: "--trust-host" in str(error) and "--rebase-results" in str(error)),
        (["--rebase-results"], lambda error: error is None),
    ],
)
async def test_the_command_line_has_the_option(
    words: list[str], outcome: Callable[[StreamerError | None], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = Parser()
    add_client_options(parser)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    error: StreamerError | None = None
    ended = batch(processing_status="ended", results_url=UPSTREAM)
    async with Server([reply(200, ended), reply(200, RECORD)]) as server:
        async with make_client(parser.parse_args(["--base-url", server.url + PREFIX, *words])) as client:
            found = await client.retrieve("msgbatch_1")
            try:
                async with client.results(found) as body:
                    assert b"".join([chunk async for chunk in body]) == RECORD
            except StreamerError as refused:
                error = refused
    assert outcome(error)
