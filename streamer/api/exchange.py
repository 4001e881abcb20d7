"""One question to the API and its settled answer: rate limit, sending, redirects, retries, errors.

Every endpoint goes through `Exchange`, so there is one retry policy, one limiter, and one place that puts the key
into a request.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

from streamer.api.body import RequestBody
from streamer.api.credentials import Credentials, NoKey
from streamer.api.decoding import Expected, NotDecodableError
from streamer.api.limiter import RateLimiter
from streamer.api.origin import BaseUrl, Destination, destination
from streamer.api.response import SHOWN_CHARACTERS, WholeResponse, body_shown, error_of, failure_of
from streamer.api.resultsbody import ResultsBody
from streamer.api.retry import Failure, Operation, RetryPolicy, decide, retry_after, took_no_effect
from streamer.api.transport import Connections, NoAnswer, Response, Transport
from streamer.clock import Clock
from streamer.errors import (
    ApiError,
    GatewayError,
    NotResultsError,
    OutcomeUnknownError,
    StreamerError,
    TransportError,
    UntrustedHostError,
)

T = TypeVar("T")

log = logging.getLogger("streamer.api")

ERROR_BODY_BYTES = 1 << 16
REDIRECTS = 3  # hops, all of them to places that `destination` allows
REDIRECT_STATUSES = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Polled(Generic[T]):
    """An answer, with when the server would like to be asked again.

    Attributes:
        value: the batch or the page.
        retry_after: seconds; None when the server said nothing. Capped by `RetryPolicy.retry_after_max`.
        retries: how many attempts failed before this answer.
    """

    value: T
    retry_after: float | None = None
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One question."""

    operation: Operation
    what: str  # for messages, e.g. "retrieve msgbatch_1"
    method: str
    to: Destination
    headers: Mapping[str, str]
    connections: Connections = Connections.CONTROL
    body: RequestBody | None = None
    cap: int = 1 << 20  # bytes that a good answer may have


@dataclass(frozen=True, slots=True)
class Failed:
    """One attempt that did not give what was asked for, and the error it becomes when it was the last.

    Who spoke is decided here, once: `failure.by_api` for the decision whether to try again, and the class of the error
    for everybody else.
    """

    failure: Failure
    error: Callable[[int], StreamerError]  # from how many attempts there were


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Asks until there is an answer or no hope.

    Counts the `requests` sent and the `retries` among them, and knows whether anybody was `reached`, ever, and whether
    the API itself was `heard`: with what was asked for, or with an error in its own words.
    """

    transport: Transport
    credentials: Credentials
    base: BaseUrl
    trusted_hosts: Collection[str]
    limiter: RateLimiter
    policy: RetryPolicy
    clock: Clock
    random: Random
    requests: int = 0
    retries: int = 0
    reached: bool = False
    heard: bool = False

    async def ask(self, call: Call, kind: Expected[T]) -> Polled[T]:
        """The answer's JSON as a `kind`.

        Raises:
            ApiError: the API refused.
            TransportError: no answer.
            GatewayError: something in between answered, or what came is no `kind`.
            OutcomeUnknownError: it was a create, and there may be a batch now.
        """

        async def attempt() -> Polled[T] | Failed:
            sent = await self._send(call)
            if isinstance(sent, Failed):
                return sent
            response, to = sent
            answer = await response.whole(call.cap if response.status == 200 else ERROR_BODY_BYTES)
            if answer.status != 200:
                return self._refused(call, to, answer)
            if answer.lost:
                broken = NoAnswer(f"{answer.lost} after {len(answer.body):,} bytes of the answer")
                return self._unanswered(call, to, broken)
            try:
                value = kind.decode(self.credentials.secrets.without(answer.body))
            except NotDecodableError as error:
                return self._garbled(call, to, answer, f"not a {kind.name}", str(error))
            except ValueError:  # what is no JSON, broken UTF-8 included
                return self._garbled(call, to, answer, f"not a {kind.name}")
            self.heard = True
            wish = retry_after(answer.headers, self.clock.now())
            return Polled(value, None if wish is None else min(wish, self.policy.retry_after_max))

        polled, retries = await self._settle(call, attempt)
        return Polled(polled.value, polled.retry_after, retries)

    async def open_results(self, call: Call) -> tuple[Response, ResultsBody]:
        """An open answer with results; the caller closes the `Response`.

        Raises:
            ApiError: the API refused.
            TransportError: no answer.
            GatewayError: something in between answered, e.g. with a page or a redirect to where nothing may be sent.
            UntrustedHostError: the session that was given would take a key to a host that must not get it.
        """
        statuses = (200, 206) if any(name.lower() == "range" for name in call.headers) else (200,)

        async def attempt() -> Response | Failed:
            sent = await self._send(call)
            if isinstance(sent, Failed):
                return sent
            response, to = sent
            kind = response.headers.get("content-type", "").partition(";")[0].lower()
            page = "html" in kind or "xml" in kind
            if response.status in statuses and not page:
                return response
            answer = await response.whole(ERROR_BODY_BYTES)
            if 200 <= answer.status < 300:
                return self._garbled(call, to, answer, "not results")
            return self._refused(call, to, answer)

        response, retries = await self._settle(call, attempt)
        return response, ResultsBody(response, what=call.what, retries=retries, clock=self.clock)

    async def _settle(self, call: Call, attempt: Callable[[], Awaitable[T | Failed]]) -> tuple[T, int]:
        """Attempt until one succeeds or the policy gives up; also how many failed before."""
        began = self.clock.monotonic()
        number = 0
        while True:
            number += 1
            await self.limiter.acquire()
            outcome = await attempt()
            if not isinstance(outcome, Failed):
                return outcome, number - 1
            failure = outcome.failure
            wait = decide(
                self.policy,
                failure,
                operation=call.operation,
                attempt=number,
                elapsed=self.clock.monotonic() - began,
                jitter=self.random.random(),
            )
            if wait is None:
                raise self._final(call, outcome, number)
            self.retries += 1
            log.info("%s; trying again in %.1f s", outcome.error(1), wait, extra={"action": "retry"})
            if failure.status == 429 and failure.retry_after is not None:
                self.limiter.pause(wait)
            await self.clock.sleep(wait)

    async def _send(self, call: Call) -> tuple[Response, Destination] | Failed:
        """One request, and the few redirects that lead to places we may ask anyway; also who answered."""
        to = call.to
        hops = 0
        while True:
            if not to.with_key and self.transport.carries_credentials():
                raise UntrustedHostError(
                    f"{call.what}: the session given to the client sends a key with every request, so it would reach "
                    f"{to.origin}; give the key to the client instead"
                )
            response = await self._send_once(call, to)
            if isinstance(response, Failed):
                return response
            if response.status not in REDIRECT_STATUSES or call.method != "GET":
                return response, to
            response.close()
            hops += 1
            if hops > REDIRECTS:
                return self._redirected(to, response, f"{call.what}: redirected more than {REDIRECTS} times")
            try:
                new = destination(
                    response.headers.get("location", ""),
                    self.base,
                    self.trusted_hosts,
                    what=f"redirect of {call.what}",
                    relative_to=to.url,
                )
            except UntrustedHostError as refused:
                return self._redirected(to, response, self.credentials.secrets.scrub(str(refused)))
            # What was asked without the key stays without it, wherever it leads.
            to = Destination(new.url, new.origin, with_key=new.with_key and to.with_key)

    async def _send_once(self, call: Call, to: Destination) -> Response | Failed:
        """One request to one place; once more with a fresh key, when a key that can be replaced is refused."""
        within = self.transport.timeouts.answer
        used = await self.credentials.headers(within=within) if to.with_key else {}
        if isinstance(used, NoKey):
            return self._unanswered(call, to, NoAnswer(used.reason, sent=False))
        response = await self._open(call, to, used)
        if isinstance(response, Failed) or response.status != 401 or not (to.with_key and self.credentials.renewable):
            return response
        answer = await response.whole(ERROR_BODY_BYTES)
        fresh = await self.credentials.headers(within=within) if answer.error is not None else used
        if isinstance(fresh, NoKey) or fresh == used:
            return self._refused(call, to, answer)
        log.info("%s: the key was refused; trying once more with a fresh one", call.what, extra={"action": "new_key"})
        return await self._open(call, to, fresh)

    async def _open(self, call: Call, to: Destination, own: Mapping[str, str]) -> Response | Failed:
        # The key is put in here, after the origin was checked, and for this one request.
        headers = {**call.headers, **own}
        self.requests += 1
        response = await self.transport.open(call.connections, call.method, to.url, headers, body=call.body)
        if isinstance(response, NoAnswer):
            return self._unanswered(call, to, response)
        self.reached = True
        return response

    def _final(self, call: Call, outcome: Failed, attempts: int) -> StreamerError:
        """The error to raise, which for a create must say whether there may be a batch now."""
        error = outcome.error(attempts)
        if call.operation is not Operation.CREATE or took_no_effect(outcome.failure):
            return error
        now = self.clock.now()
        return OutcomeUnknownError(
            f"{error}; the batch may have been created all the same, so the request was not repeated: "
            f"list the batches and look for one created before {now:%Y-%m-%d %H:%M:%S} UTC"
        )

    def _refused(self, call: Call, to: Destination, answer: WholeResponse) -> Failed:
        """An answer with an error status: a verdict when it is the API's, else like weather."""

        def error(attempts: int) -> ApiError | GatewayError:
            return error_of(
                answer,
                what=call.what,
                who="the API" if to.with_key else str(to.origin),
                attempts=attempts,
                shown=self.credentials.secrets.printable,
                key_source=self.credentials.source if to.with_key else "",
            )

        failure = failure_of(answer, self.clock.now())
        self.heard |= failure.by_api and to.with_key
        return Failed(failure, error)

    def _redirected(self, to: Destination, response: Response, why: str) -> Failed:
        """A redirect that is not followed: the API has none, so something in between sent it."""
        text = f"{why} (answered {response.status} by {to.origin}, or by something between here and there)"

        def error(attempts: int) -> GatewayError:
            return GatewayError(text + _after(attempts), status=response.status, attempts=attempts)

        return Failed(Failure(status=response.status, by_api=False), error)

    def _unanswered(self, call: Call, to: Destination, broken: NoAnswer) -> Failed:
        text = f"{call.what}: {broken.reason} ({to.origin})"
        return Failed(
            Failure(sent=broken.sent, lasting=broken.lasting, reached=self.reached),
            lambda attempts: TransportError(text + _after(attempts)),
        )

    def _garbled(self, call: Call, to: Destination, answer: WholeResponse, instead: str, reason: str = "") -> Failed:
        """An answer that says it is well and is not what was asked for; `reason` says why, where it is JSON."""
        why = "" if answer.cut else self.credentials.secrets.printable(reason, SHOWN_CHARACTERS)
        instead += (f" ({why})" if why else "") + (f", longer than {len(answer.body):,} bytes" if answer.cut else "")
        text = f"{call.what}: {to.origin} answered {answer.status}, but what came is {instead}"
        text += f": {body_shown(answer, self.credentials.secrets.printable)}"
        kind = NotResultsError if call.operation is Operation.RESULTS else GatewayError

        def error(attempts: int) -> GatewayError:
            return kind(text + _after(attempts), status=answer.status, detail=why, attempts=attempts)

        return Failed(Failure(status=answer.status, by_api=False), error)


def _after(attempts: int) -> str:
    return f"; gave up after {attempts} attempts" if attempts > 1 else ""
