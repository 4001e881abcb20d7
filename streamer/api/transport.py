"""HTTP, and the only file that uses aiohttp: requests out, answers in, every failure turned into plain data.

What aiohttp raises may hold the whole request in its attributes and its traceback, so no exception of it leaves this
file, not even as the context of another: each is turned into text first and the handler is left before raising.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import AsyncGeneratorType
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from streamer.api.body import RequestBody
from streamer.api.certificates import Authorities
from streamer.api.masking import Printable
from streamer.api.onloop import OnLoop
from streamer.api.origin import Origin
from streamer.api.proxy import Proxies
from streamer.api.response import WholeResponse
from streamer.errors import ConfigurationError
from streamer.tasks import wait_out

READ_BUFFER_BYTES = 1 << 16  # per connection; larger ones gain no speed and cost memory with hundreds of them
CONNECTIONS_FOR_CONTROL = 100
AUTHENTICATING_HEADERS = ("x-api-key", "authorization", "proxy-authorization", "cookie")
# Every way in which aiohttp reports that the network or the other side failed.
NETWORK_ERRORS = (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError)


class Connections(Enum):
    """Which connections a request uses, so that none waits for another kind."""

    CONTROL = "control"  # short questions and answers
    RESULTS = "results"  # long downloads, as many as are asked for
    MESSAGE = "message"  # answers that begin minutes after they were asked for
    CREATE = "create"  # always a new connection: on a kept one that has gone stale the outcome would be unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the network may be silent or slow, in seconds but for `least_rate`.

    A download may last as long as it likes; it may not be silent for longer than `silence`, nor bring less than
    `least_rate` while it is waited for. What our own sinks take their time for does not count.
    """

    connect: float = 30.0  # to establish a connection, name lookup and TLS included
    answer: float = 60.0  # for a whole short answer, or until the headers of a long one
    upload: float = 1800.0  # for a create, up to 256 MB of it
    message: float = 600.0  # for a message, which a model writes before any of it comes
    silence: float = 60.0  # between two pieces of an answer
    least_rate: float = 1024.0  # bytes a second that a download must bring,
    rate_window: float = 60.0  # counted over so much waiting for it


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No usable answer: why, in words safe to show, and what it means for trying again."""

    reason: str
    sent: bool = True  # the whole request may have reached the server
    lasting: bool = False  # the same request will fail again


class Response:
    """An answer whose headers are here and whose body is still on the wire."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        timeouts: Timeouts,
        upload: Upload | None,
        *,
        decoded: bool,
        shown: Printable,
    ) -> None:
        self._response = response
        self._upload = upload
        self.timeouts = timeouts
        self.shown = shown
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        self._sent = upload is None or upload.complete  # the whole request had left when it came
        self._coding = "" if decoded or coding == "identity" else coding
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.received = 0  # bytes of the body read so far

    def __repr__(self) -> str:
        return f"<Response {self.status}, {self.received:,} bytes read>"

    async def chunk(self) -> bytes | NoAnswer:
        """The next bytes of the body as they arrive; empty at its end."""
        try:
            data: bytes = await self._response.content.readany()
        except NETWORK_ERRORS as error:
            return NoAnswer(_reason(error, self.timeouts, self.timeouts.answer, self.shown))
        self.received += len(data)
        return data

    async def whole(self, cap: int) -> WholeResponse:
        """The body up to `cap` bytes and within `Timeouts.answer`; what is longer or late is cut and closed."""
        body = bytearray()
        lost = ""
        try:
            async with asyncio.timeout(self.timeouts.answer):
                while len(body) <= cap and (data := await self.chunk()):
                    if isinstance(data, NoAnswer):
                        lost = data.reason
                        break
                    body += data
        except TimeoutError:
            lost = f"no whole answer within {self.timeouts.answer:g} s"
        finally:
            self.close()
            if self._upload is not None:
                await self._upload.close()
        return WholeResponse(
            self.status, self.headers, bytes(body[:cap]), self._coding, len(body) > cap, lost, self._sent
        )

    def close(self) -> None:
        """Close the connection, unless the body was read to its end and the connection is free already."""
        self._response.close()


@dataclass(frozen=True, slots=True)
class Way:
    """How own connections find and believe a server."""

    proxies: Proxies
    authorities: Authorities


class Transport:
    """Opens requests, each over its connections, with the caller's session or own ones made when needed."""

    def __init__(self, session: aiohttp.ClientSession | None, timeouts: Timeouts, shown: Printable, way: Way) -> None:
        self._given = session
        self.timeouts = timeouts
        self._shown = shown  # makes text from outside fit to show
        self._way = way
        self._sessions: OnLoop[dict[Connections, aiohttp.ClientSession]] = OnLoop(dict)
        self._tls: ssl.SSLContext | bool | None = None  # made when it is first needed, which takes 20 ms
        self._closed = False

    def __repr__(self) -> str:
        whose = "the caller's session" if self._given is not None else "sessions of its own"
        return f"<Transport with {whose}{', closed' if self._closed else ''}>"

    async def open(
        self,
        connections: Connections,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        body: RequestBody | None = None,
    ) -> Response | NoAnswer:
        """Send one request and wait for the headers of its answer; redirects are answers like any other.

        Raises:
            ConfigurationError: the client or the caller's session is closed.
        """
        session = await self._session(connections)
        decode = connections is not Connections.RESULTS
        within = self.timeouts.answer if body is None else self.timeouts.upload
        silence = self.timeouts.silence
        if connections is Connections.MESSAGE:
            within = silence = self.timeouts.message
        upload = Upload(body) if body is not None else None
        if body is not None:
            headers = {**headers, "content-length": str(body.size)}
        proxy = self._way.proxies.of(Origin.of(urlsplit(url))) if self._way.proxies.asked_for else None
        try:
            async with asyncio.timeout(within):
                response = await session.request(
                    method,
                    URL(url, encoded=True),  # verbatim: a signed URL must not be quoted anew
                    headers=headers,
                    data=upload.parts() if upload is not None else None,
                    allow_redirects=False,
                    raise_for_status=False,
                    auto_decompress=decode,
                    proxy=proxy.url if proxy is not None else None,
                    proxy_headers=proxy.headers() if proxy is not None else None,
                    read_bufsize=READ_BUFFER_BYTES,
                    timeout=aiohttp.ClientTimeout(
                        total=None,
                        connect=self.timeouts.connect,
                        sock_connect=self.timeouts.connect,
                        sock_read=silence,
                    ),
                )
        except NETWORK_ERRORS as error:
            if upload is not None:
                await upload.close()
            sent = upload.complete if upload is not None else _maybe_sent(error)
            reason = _reason(error, self.timeouts, within, self._shown)
            if proxy is not None and not _maybe_sent(error):
                reason += f", through the proxy {proxy.origin}"
            if hint := self._hint(error, url):
                reason += f"; {hint}"
            return NoAnswer(reason, sent=sent, lasting=_lasting(error))
        except BaseException:
            if upload is not None:
                await upload.close()
            raise
        return Response(response, self.timeouts, upload, decoded=decode, shown=self._shown)

    def carries_credentials(self) -> bool:
        """Whether the caller's session adds a key of its own to every request, wherever it goes."""
        session = self._given
        return session is not None and (
            session.auth is not None or any(name in session.headers for name in AUTHENTICATING_HEADERS)
        )

    async def close(self) -> None:
        """Close the own sessions and their connections; the caller's session is the caller's."""
        self._closed = True
        await _close(self._sessions.get())
        await _close(self._sessions.take_left() or {})

    async def _session(self, connections: Connections) -> aiohttp.ClientSession:
        if self._closed:
            raise ConfigurationError("the client is closed; make a new one")
        if self._given is not None:
            if self._given.closed:
                raise ConfigurationError(
                    "the client was given a session, and that session is closed; give it a new one"
                )
            return self._given
        sessions = self._sessions.get()
        if (left := self._sessions.take_left()) is not None:
            await _close(left)
        if connections not in sessions:
            if self._tls is None:
                self._tls = self._way.authorities.context() or True
            sessions[connections] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._tls,
                    limit=CONNECTIONS_FOR_CONTROL if connections is Connections.CONTROL else 0,
                    force_close=connections is Connections.CREATE,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return sessions[connections]

    def _hint(self, error: BaseException, url: str) -> str:
        """What the user could do about an error of the way to the server; empty when nothing is known."""
        if self._given is not None:
            return ""
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            why = error.certificate_error
            return self._way.authorities.hint(why) if isinstance(why, ssl.SSLCertVerificationError) else ""
        return "" if _maybe_sent(error) else self._way.proxies.hint(Origin.of(urlsplit(url)))


class Upload:
    """A body on its way, and whether its last byte was handed over: before that the server cannot act on it."""

    def __init__(self, body: RequestBody) -> None:
        self._body = body
        self._reading: AsyncGenerator[bytes, None] | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.complete = False

    def parts(self) -> AsyncGenerator[bytes, None]:
        """The body's parts; `complete` turns true just before the one that completes it leaves."""
        self._reading = self._parts()
        return self._reading

    async def close(self) -> None:
        """Let go of what the body reads from: aiohttp forgets a body that it gives up in the middle.

        Its task may be reading at this moment, and has been cancelled then: so that is waited for.
        """
        if self._reading is None:
            return
        if isinstance(self._reading, AsyncGeneratorType) and self._reading.ag_running:
            await wait_out(lambda: [] if self._ended.done() else [self._ended])
        await self._reading.aclose()

    async def _parts(self) -> AsyncGenerator[bytes, None]:
        left = self._body.size
        parts = self._body.parts()
        try:
            async for part in parts:
                left -= len(part)
                self.complete = left <= 0
                yield part
        finally:
            try:
                if isinstance(parts, AsyncGenerator):
                    await parts.aclose()
            finally:
                self._ended.set_result(None)


async def _close(sessions: dict[Connections, aiohttp.ClientSession]) -> None:
    while sessions:
        _, session = sessions.popitem()
        await session.close()


def _maybe_sent(error: BaseException) -> bool:
    """Whether the request can have left: not when there never was a connection."""
    return not isinstance(
        error,
        (
            aiohttp.ClientConnectorError,
            aiohttp.ClientHttpProxyError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.InvalidURL,
        ),
    )


def _lasting(error: BaseException) -> bool:
    lasting = (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch, aiohttp.InvalidURL)
    return isinstance(error, lasting) or (isinstance(error, aiohttp.ClientHttpProxyError) and error.status < 500)


def _no_connection(error: BaseException, timeouts: Timeouts, shown: Printable) -> str:
    """Why there was no connection that a request could have left by."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            why = getattr(error.certificate_error, "verify_message", "") or "it could not be verified"
            return f"the server's certificate is not valid: {shown(why, 200)}"
        case aiohttp.ClientHttpProxyError():
            about = "; its user name and password belong into its URL" if error.status == 407 else ""
            return f"the proxy answered {error.status} {shown(error.message, 80)}{about}"
        case aiohttp.ClientConnectorDNSError():
            return "the host name cannot be resolved"
        case aiohttp.ClientConnectorError():
            why = error.os_error.strerror or str(error.os_error) or "it was closed at once"  # e.g. TLS of another age
            return f"no connection: {shown(why, 200)}"
        case aiohttp.ConnectionTimeoutError():
            return f"no connection within {timeouts.connect:g} s"
        case _:  # aiohttp.InvalidURL
            return "the URL cannot be asked"


def _reason(error: BaseException, timeouts: Timeouts, within: float, shown: Printable) -> str:
    """What happened, without the request: most of aiohttp's own texts hold its URL."""
    match error:
        case _ if not _maybe_sent(error):
            return _no_connection(error, timeouts, shown)
        case aiohttp.SocketTimeoutError():
            return f"the server was silent for {timeouts.silence:g} s"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "the connection broke"
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return f"the answer is not valid HTTP: {shown(error.message, 120)}"
        case TimeoutError():
            return f"no answer within {within:g} s"
        case OSError():
            return f"the connection broke: {shown(error.strerror or type(error).__name__, 200)}"
        case _:
            return f"the request failed: {type(error).__name__}"
