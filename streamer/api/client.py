"""The Message Batches API: its six endpoints as coroutines, and that of one message."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Self

import aiohttp

from streamer.api import decoding
from streamer.api.arguments import checked_options, log_choices
from streamer.api.body import RequestBody, encode_params, encode_requests
from streamer.api.certificates import Authorities
from streamer.api.credentials import Credentials, KeyProvider
from streamer.api.exchange import Call, Exchange, Polled
from streamer.api.headers import beta_header
from streamer.api.jsonencoding import Dumpable, Request
from streamer.api.limiter import RateLimiter
from streamer.api.options import ClientOptions
from streamer.api.origin import DEFAULT_BASE_URL, BaseUrl, checked_trusted_hosts, results_destination
from streamer.api.pages import Pages
from streamer.api.proxy import Proxies
from streamer.api.resultsbody import ResultsBody
from streamer.api.retry import Operation
from streamer.api.transport import Connections, Transport, Way
from streamer.api.types import PAGE_LIMIT, Batch, BatchPage, DeletedBatch, Message
from streamer.clock import Clock, SystemClock
from streamer.errors import (
    ApiError,
    ConfigurationError,
    GatewayError,
    NotFoundError,
    ResultsError,
    TransportError,
)

MESSAGE_BYTES = 32 << 20  # the longest answers of today are some 2 MB


class Client:
    """A connection to the API for one key, shared by everything that uses it.

    All requests share one retry policy and one rate limiter. Questions, downloads and creates use connections of
    their own, so that none waits for another kind. Close it with `close` or use it as an async context manager.

    It may be used on one event loop after another, as `asyncio.run` makes them, but not on two at once.

    Args:
        api_key: sent as `x-api-key`. Without an argument the environment is read as the official client reads
            it: ANTHROPIC_API_KEY, else ANTHROPIC_AUTH_TOKEN; without those the key may be one of `options.headers`.
            A callable, synchronous or not, gives a key that expires: it is asked before each request, one at a time,
            and keeps for itself what is still good; a 401 is believed when it gives the same again. It is called on
            the event loop: one that takes long gives way by `lambda: asyncio.to_thread(refreshed)`.
        auth_token: sent as `Authorization: Bearer`, instead of an `api_key`; a callable likewise.
        base_url: where the API is; else ANTHROPIC_BASE_URL, else https://api.anthropic.com. It may end in a path
            that a gateway or a cloud platform wants, such as
            `https://claude.googleapis.com/v1/projects/P/locations/global/workspaces/W/invoke` with tokens of Google.
            The key goes to its origin only.
        session: an aiohttp session to use for everything; it stays open, and its connection limit, proxies, TLS and
            default headers are the caller's. Give the key to the client, not to the session.
        options: how to talk to the API.
        clock: time, for tests.
        random: randomness, for tests.

    Attributes:
        requests: how many requests were sent so far, redirects and retries included.
        retries: attempts that were repeated so far, over all requests.

    Raises:
        ConfigurationError: no key, a key that cannot be one, a base URL or an option that cannot be used.

    Example:
        >>> async def main(requests: list[dict[str, Any]]) -> None:
        ...     async with Client() as client:
        ...         batch = await client.create(requests)
        ...         print(await client.retrieve(batch.id))
    """

    def __init__(
        self,
        *,
        api_key: str | KeyProvider | None = None,
        auth_token: str | KeyProvider | None = None,
        base_url: str | None = None,
        session: aiohttp.ClientSession | None = None,
        options: ClientOptions | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
    ) -> None:
        options = checked_options(session, base_url, options)
        credentials = Credentials.find(api_key, auth_token, os.environ, options.headers)
        del api_key, auth_token  # a crash report that shows the locals of what raises below shall not show the key
        headers = credentials.check(beta_header(options.betas))
        clock = clock or SystemClock()
        base = BaseUrl.parse(
            base_url or os.environ.get("ANTHROPIC_BASE_URL") or DEFAULT_BASE_URL, allow_http=options.allow_http
        )
        way = Way(Proxies.choose(options.proxy, credentials.secrets), Authorities.of(os.environ))
        log_choices(options.betas, headers, way, base, own_session=session is None)
        self._headers = {
            "accept": "application/json",
            # gzip only: a deflate body that is cut never ends for aiohttp.
            "accept-encoding": "gzip",
            "anthropic-version": options.anthropic_version,
            "user-agent": "streamer",
        }
        self._rebase_results = options.rebase_results
        self._transport = Transport(session, options.timeouts, credentials.secrets.printable, way)
        self._exchange = Exchange(
            transport=self._transport,
            credentials=credentials,
            base=base,
            trusted_hosts=checked_trusted_hosts(options.trusted_hosts),
            limiter=RateLimiter(options.requests_per_minute, clock),
            policy=options.retry,
            clock=clock,
            random=random or Random(),  # noqa: S311 - jitter, not cryptography
        )
        self._pages = Pages(self._exchange, self._headers)

    def __repr__(self) -> str:
        if not hasattr(self, "_exchange"):  # a crash report may show a client whose constructor refused
            return "<Client, not made>"
        return f"<Client of {self._exchange.base.url}, {self.retries} retries>"

    @property
    def address(self) -> str:
        """The base URL, where the API is spoken to."""
        return self._exchange.base.url

    @property
    def key_mark(self) -> str:
        """What tells the key from others without saying anything about it."""
        return self._exchange.credentials.mark()

    @property
    def requests(self) -> int:
        """How many requests were sent so far, redirects and retries included."""
        return self._exchange.requests

    @property
    def retries(self) -> int:
        """Attempts that were repeated so far."""
        return self._exchange.retries

    @property
    def heard(self) -> bool:
        """Whether the API itself has answered so far; an answer of something in between is none of its."""
        return self._exchange.heard

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a session that was given stays open. Closing twice is harmless."""
        await self._transport.close()

    async def create(self, requests: Iterable[Request] | RequestBody) -> Batch:
        """Create a batch.

        A create is repeated only when it certainly did not take effect, because a second batch would cost money
        and could not be told from the first.

        Args:
            requests: each a mapping or a pydantic model with `custom_id` and `params`, or its JSON as bytes; inside may
                be content blocks of the official client. Or a prepared body.

        Raises:
            OutcomeUnknownError: the request left and no clear answer came; there may be a batch now.
            ApiError: the API refused it; there is no batch.
        """
        if isinstance(requests, Mapping | Dumpable | bytes | str) or not isinstance(requests, Iterable | RequestBody):
            kind = type(requests).__name__
            raise ConfigurationError(f"requests is an iterable of requests, not a {kind}; of one write [request]")
        body = requests if isinstance(requests, RequestBody) else await encode_requests(requests)
        call = Call(
            operation=Operation.CREATE,
            what="create a batch",
            method="POST",
            to=self._exchange.base.batches(),
            headers={**self._headers, "content-type": "application/json"},
            connections=Connections.CREATE,
            body=body,
        )
        return (await self._exchange.ask(call, decoding.batch())).value

    async def message(self, params: Request) -> Message:
        """What the model answers to the params of one request, at once and at the full price: not a batch at all.

        Not repeated when the request may have reached the model.

        Args:
            params: as in a request of a batch, e.g. model, max_tokens and messages; or their JSON.

        Raises:
            ConfigurationError: the params cannot be written as JSON.
            ApiError: the API refused, e.g. 400 for params that are not valid.
            TransportError: no answer came.
        """
        call = Call(
            operation=Operation.MESSAGE,
            what="ask for a message",
            method="POST",
            to=self._exchange.base.messages(),
            headers={**self._headers, "content-type": "application/json"},
            connections=Connections.MESSAGE,
            body=encode_params(params),
            cap=MESSAGE_BYTES,
        )
        return (await self._exchange.ask(call, decoding.MESSAGE)).value

    async def retrieve(self, batch_id: str) -> Batch:
        """The batch as it is now.

        Raises:
            NotFoundError: still not there after `RetryPolicy.missing_seconds`.
        """
        return (
            await self._exchange.ask(self._call(Operation.RETRIEVE, "GET", batch_id), decoding.batch(batch_id))
        ).value

    async def poll_batch(self, batch_id: str) -> Polled[Batch]:
        """The batch as it is now, with the server's wish when to be asked again.

        Raises:
            NotFoundError: it is not there at this moment; whoever polls asks again anyway.
        """
        return await self._exchange.ask(self._call(Operation.POLL, "GET", batch_id), decoding.batch(batch_id))

    async def list_page(
        self, *, limit: int = PAGE_LIMIT, after_id: str | None = None, before_id: str | None = None
    ) -> BatchPage:
        """One page of the workspace's batches, newest first: `limit` (1 to 1000) of them.

        A gateway that allows no such page is asked for a smaller one, now and from then on. What cannot be read as a
        batch is in `undecodable`, and logged once.

        Args:
            limit: how many at most.
            after_id: begin after this batch, with older ones.
            before_id: end before this batch, with newer ones.

        Raises:
            ConfigurationError: `limit` is not from 1 to 1000.
            ApiError: the API refused, e.g. 404 for an id that is no batch any more.
        """
        return (await self.poll_page(limit=limit, after_id=after_id, before_id=before_id)).value

    async def poll_page(
        self, *, limit: int = PAGE_LIMIT, after_id: str | None = None, before_id: str | None = None
    ) -> Polled[BatchPage]:
        """As `list_page`, with the server's wish when to be asked again.

        Raises:
            ConfigurationError, ApiError: as `list_page` does.
        """
        if not isinstance(limit, int) or not 1 <= limit <= PAGE_LIMIT:
            raise ConfigurationError(f"a page holds 1 to {PAGE_LIMIT} batches, not {limit}")
        for name, batch_id in (("after_id", after_id), ("before_id", before_id)):
            self._exchange.credentials.secrets.check_absent(batch_id, name)
        return await self._pages.ask(limit, after_id=after_id, before_id=before_id)

    async def list(self, *, limit: int = PAGE_LIMIT, strict: bool = False) -> AsyncIterator[Batch]:
        """All batches of the workspace, newest first; `limit` (1 to 1000) is how many one request fetches.

        Args:
            limit: how many one request fetches.
            strict: what cannot be read as a batch is an error; else it is passed over and logged.

        Raises:
            TransportError: no answer, or one that says there is more but not where.
            GatewayError: with `strict`, there is something in the list that cannot be read as a batch.
        """
        after_id: str | None = None
        seen: set[str] = set()
        while True:
            page = await self.list_page(limit=limit, after_id=after_id)
            if strict and page.undecodable:
                name, reason = page.undecodable[0].id or "an item without an id", page.undecodable[0].reason
                raise GatewayError(
                    f"list batches: {name} cannot be read as a batch: {reason}", status=200, detail=reason
                )
            for batch in page.data:
                yield batch
            if not page.has_more:
                return
            if page.last_id is None or page.last_id in seen:
                raise TransportError(f"list batches: the server says there are more but not after which ({after_id})")
            after_id = page.last_id
            seen.add(after_id)

    async def cancel(self, batch_id: str) -> Batch:
        """Ask that the batch be canceled; it ends a while later and may hold results of every type.

        Raises:
            NotFoundError: there is no such batch.
            ApiError: the API refused, e.g. 400 for a batch that has ended.
        """
        try:
            call = self._call(Operation.CANCEL, "POST", batch_id, "/cancel")
            return (await self._exchange.ask(call, decoding.batch(batch_id))).value
        except ApiError as error:
            if error.attempts == 1 or error.status not in (400, 409):
                raise
            refused = error
        # An earlier attempt may have done it, and what was refused is doing it again.
        batch = await self.retrieve(batch_id)
        if batch.cancel_initiated_at is None:
            raise refused
        return batch

    async def delete(self, batch_id: str) -> DeletedBatch:
        """Delete an ended batch and its results.

        A 404 to a repeated attempt counts as deleted: either way the batch is gone.

        Raises:
            NotFoundError: there was no such batch.
            ApiError: the API refused, e.g. 400 for a batch that has not ended.
        """
        try:
            return (await self._exchange.ask(self._call(Operation.DELETE, "DELETE", batch_id), decoding.DELETED)).value
        except NotFoundError as error:
            if error.attempts == 1:
                raise
        return DeletedBatch(batch_id)

    @asynccontextmanager
    async def results(
        self, batch: Batch, *, accept_encoding: str = "identity", headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[ResultsBody]:
        """The results of an ended batch as bytes, not decompressed, in chunks as they arrive.

        Leaving the context closes the connection, unless the body was read to its end.

        Args:
            batch: as retrieved or listed; its `results_url` is fetched.
            accept_encoding: the codings to ask for; decoding and checking them is the caller's.
            headers: further headers, e.g. Range and If-Range.

        Raises:
            ResultsError: the batch has no results (yet, or any more).
            UntrustedHostError: they are on a host that is neither the API's nor trusted.
            NotResultsError: the answer is a page and not results.
            ApiError: the API refused, e.g. 404 or 416.
            TransportError: no answer, or while iterating: the body ended early; `received` says after how many bytes.
        """
        if not isinstance(batch, Batch):
            kind = type(batch).__name__
            raise ConfigurationError(f"results are those of a Batch, as retrieve and list give it, not of a {kind}")
        what = f"results of {batch.id}"
        if batch.results_url is None or batch.archived_at is not None:
            gone = f"they were removed at {batch.archived_at}, which the API does 29 days after creation"
            yet = f"its status is {batch.processing_status!r}, and results come when it is 'ended'"
            raise ResultsError(f"{what}: there are none; {gone if batch.archived_at else yet}")
        call = Call(
            operation=Operation.RESULTS,
            what=what,
            method="GET",
            to=results_destination(
                batch.id,
                batch.results_url,
                self._exchange.base,
                self._exchange.trusted_hosts,
                rebase=self._rebase_results,
            ),
            headers={
                **self._headers,
                "accept": "application/binary",
                **(headers or {}),
                "accept-encoding": accept_encoding,
            },
            connections=Connections.RESULTS,
        )
        response, body = await self._exchange.open_results(call)
        try:
            yield body
        finally:
            response.close()

    def _call(self, operation: Operation, method: str, batch_id: str, action: str = "") -> Call:
        self._exchange.credentials.secrets.check_absent(batch_id, "what was given as a batch id")
        return Call(
            operation=operation,
            what=f"{operation.value} {batch_id}",
            method=method,
            to=self._exchange.base.batch(batch_id, action),
            headers=self._headers,
        )
