"""The emulator as an HTTP server: routes, headers, bodies. What it answers is decided in the other modules."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import itertools
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
from aiohttp import web

from streamer.emulator.access import workspace_of
from streamer.emulator.clock import EmulatorClock
from streamer.emulator.envelope import Envelope, too_large
from streamer.emulator.errors import Refusal, error_body, invalid
from streamer.emulator.ids import token
from streamer.emulator.literal import LiteralWorkspace
from streamer.emulator.objects import batch_object, deleted_object, page_object
from streamer.emulator.params import Headers, ask, defect
from streamer.emulator.records import CHUNK_BYTES, ResultLines, chunks
from streamer.emulator.settings import Settings
from streamer.emulator.spill import Spill, SpillWriter
from streamer.emulator.stats import EmulatorStats
from streamer.emulator.workspace import BatchState, Created, Workspace, limit_of
from streamer.faults.proxy import serving as faults_before
from streamer.faults.script import Script

MESSAGES = "/v1/messages"
BATCHES = MESSAGES + "/batches"
MESSAGE_BYTES = 32 << 20  # that the Messages API takes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Emulator:
    """Everything that is alive while the emulator runs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = EmulatorClock(settings.speed)
        self.stats = EmulatorStats()
        self.spill = Spill()
        self.records = ResultLines(settings)
        self._started = self.clock.now()
        self._workspaces: dict[str, Workspace] = {}
        self._answers = itertools.count()

    def workspace(self, request: web.Request) -> Workspace:
        """The workspace of the key that a request came with."""
        name = workspace_of(self.settings, request.headers)
        if name not in self._workspaces:
            kind = LiteralWorkspace if self.settings.literal_ids else Workspace
            self._workspaces[name] = kind(self.settings, name, self._started)
        return self._workspaces[name]

    def request_id(self) -> str:
        """A new id for an answer."""
        return token("req_", self.settings.seed, next(self._answers))

    def results_url(self, request: web.Request) -> Callable[[str], str]:
        """How the addresses of results are written in the answer to a request."""
        origin = self.settings.results_url
        if origin == "absolute":
            origin = f"{request.scheme}://{request.host}"
        elif origin == "relative":
            origin = ""
        return lambda batch_id: f"{origin.rstrip('/')}{BATCHES}/{batch_id}/results"

    def body_of(self, state: BatchState, workspace: Workspace) -> Iterator[bytes]:
        """The results of a batch."""
        extents = workspace.asks_of(state)
        if extents is None:
            return self.records.filled(state.number, state.total, state.outcomes)
        return self.records.created(state.number, self.spill.asks(extents), state.outcomes)


EMULATOR = web.AppKey("emulator", Emulator)
REQUEST_ID = web.RequestKey("request_id", str)


def application(settings: Settings) -> web.Application:
    """The aiohttp application that answers as the API does."""
    app = web.Application(middlewares=[_answered], client_max_size=MESSAGE_BYTES)
    app[EMULATOR] = Emulator(settings)
    one = BATCHES + "/{batch_id}"
    app.router.add_post(BATCHES, _create, name="create")
    app.router.add_post(MESSAGES, _message, name="message")
    app.router.add_get(BATCHES, _list, name="list", allow_head=False)
    app.router.add_get(one, _retrieve, name="retrieve", allow_head=False)
    app.router.add_delete(one, _delete, name="delete")
    app.router.add_post(one + "/cancel", _cancel, name="cancel")
    app.router.add_get(one + "/results", _results, name="results", allow_head=False)
    # Not of the API: what tests want to know and do.
    app.router.add_get("/_emulator/stats", _stats, name="stats", allow_head=False)
    app.router.add_post("/_emulator/advance", _advance, name="advance")
    app.on_cleanup.append(_close)
    app.on_response_prepare.append(_untyped)
    return app


async def _close(app: web.Application) -> None:
    app[EMULATOR].spill.close()


async def _untyped(request: web.Request, answer: web.StreamResponse) -> None:
    """Takes the content-type away that aiohttp gives to every body, where the settings say so."""
    settings = request.app[EMULATOR].settings
    if request.match_info.route.name == "results" and answer.chunked and settings.results_content_type == "none":
        del answer.headers["content-type"]


@web.middleware
async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Counts the request, and turns what handlers raise into the API's error bodies."""
    emulator = request.app[EMULATOR]
    request[REQUEST_ID] = emulator.request_id()
    emulator.stats.requests[request.match_info.route.name or "unknown"] += 1
    try:
        answer = await handler(request)
    except Refusal as refusal:
        answer = _error(request, refusal.status, refusal.message)
    except web.HTTPException as refused:
        names = {404: "Not found", 405: "Method Not Allowed"}
        answer = _error(request, refused.status, names.get(refused.status, refused.reason))
    except ConnectionError:
        answer = _error(request, 400, "The connection was lost")  # nobody hears it, but it is counted
    emulator.stats.answers[answer.status] += 1
    return answer


def _headers(request: web.Request) -> dict[str, str]:
    return {"request-id": request[REQUEST_ID], "anthropic-organization-id": "00000000-0000-4000-8000-000000000000"}


def _error(request: web.Request, status: int, message: str) -> web.Response:
    return _json(request, error_body(status, message, request[REQUEST_ID]), status)


def _json(request: web.Request, body: bytes, status: int = 200) -> web.Response:
    headers = _headers(request)
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 1, mtime=0)
        headers["content-encoding"] = "gzip"
    request.app[EMULATOR].stats.bytes_sent += len(body)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def _object(request: web.Request, value: dict[str, Any]) -> web.Response:
    return _json(request, msgspec.json.encode(value))


def _batch(request: web.Request, state: BatchState) -> web.Response:
    return _object(request, batch_object(state, request.app[EMULATOR].results_url(request)))


async def _create(request: web.Request) -> web.Response:
    emulator = request.app[EMULATOR]
    settings = emulator.settings
    workspace = emulator.workspace(request)
    headers = _judging(request)
    writer = SpillWriter(emulator.spill)
    body = hashlib.sha256()
    faulty = 0

    def take(custom_id: str, params: dict[str, Any]) -> None:
        nonlocal faulty
        wrong = defect(params, headers)
        if wrong is not None and wrong.forbidden and settings.forbidden_params_status != 200:
            raise Refusal(settings.forbidden_params_status, f"{custom_id}: {wrong.message}")
        faulty += wrong is not None
        writer.add(ask(custom_id, params, wrong))

    envelope = Envelope(take, max_requests=settings.max_requests, max_bytes=settings.max_body_bytes)
    try:
        if (request.content_length or 0) > settings.max_body_bytes:
            raise too_large(settings.max_body_bytes)
        async for chunk in request.content.iter_any():
            envelope.feed(chunk)
            body.update(chunk)
        total = envelope.finish()
    except web.RequestPayloadError:
        raise invalid("The request body cannot be decoded by its content-encoding") from None
    except Refusal:
        await _drain(request)
        raise
    state = workspace.create(Created(emulator.clock.now(), total, faulty, writer.finish()))
    emulator.stats.created(body.digest())
    return _batch(request, state)


def _judging(request: web.Request) -> Headers:
    """The headers that params are judged by."""
    return Headers(request.headers.get("anthropic-version", ""), request.headers.get("anthropic-user-profile-id"))


async def _message(request: web.Request) -> web.Response:
    """The Messages API: what a batch would make of these params, at once."""
    emulator = request.app[EMULATOR]
    emulator.workspace(request)  # refuses a wrong key
    try:
        params = msgspec.json.decode(await request.read(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("The request body is not valid JSON") from None
    wrong = defect(params, _judging(request))
    if wrong is not None:
        raise Refusal(404 if wrong.type == "not_found_error" else 400, wrong.message)
    return _object(request, emulator.records.message(ask("", params, None)))


async def _drain(request: web.Request) -> None:
    """Read what is left of a body that was refused, within reason: a client that still sends would not hear why."""
    left = request.app[EMULATOR].settings.max_body_bytes
    async for chunk in request.content.iter_any():
        left -= len(chunk)
        if left < 0:
            return


async def _list(request: web.Request) -> web.Response:
    emulator = request.app[EMULATOR]
    query = request.query
    page = emulator.workspace(request).page(
        limit_of(query.get("limit")),
        query.get("after_id") or None,
        query.get("before_id") or None,
        emulator.clock.now(),
    )
    return _object(request, page_object(page, emulator.results_url(request)))


async def _retrieve(request: web.Request) -> web.Response:
    emulator = request.app[EMULATOR]
    settings = emulator.settings
    state = emulator.workspace(request).get(request.match_info["batch_id"], emulator.clock.now())
    answer = _batch(request, state)
    if state.status == "in_progress" and settings.retry_after > 0:
        # Scaled, so that a client which honours it sees a sped-up emulator as it would see the real service.
        answer.headers["retry-after"] = f"{settings.retry_after / settings.speed:.6g}"
    return answer


async def _cancel(request: web.Request) -> web.Response:
    emulator = request.app[EMULATOR]
    return _batch(request, emulator.workspace(request).cancel(request.match_info["batch_id"], emulator.clock.now()))


async def _delete(request: web.Request) -> web.Response:
    emulator = request.app[EMULATOR]
    state = emulator.workspace(request).delete(request.match_info["batch_id"], emulator.clock.now())
    return _object(request, deleted_object(state.id))


async def _results(request: web.Request) -> web.StreamResponse:
    emulator = request.app[EMULATOR]
    settings = emulator.settings
    workspace = emulator.workspace(request)
    state = workspace.with_results(request.match_info["batch_id"], emulator.clock.now())
    headers = _headers(request)
    headers["content-disposition"] = f"attachment; filename*=utf-8''{state.id}_results.jsonl"
    answer = web.StreamResponse(headers=headers)
    answer.enable_chunked_encoding()
    if settings.results_content_type != "none":
        answer.content_type = settings.results_content_type
    zipped = settings.results_encoding == "gzip" and "gzip" in request.headers.get("accept-encoding", "")
    if zipped:
        answer.headers["content-encoding"] = "gzip"
    body = chunks(emulator.body_of(state, workspace))
    with emulator.stats.download():
        await answer.prepare(request)
        try:
            for chunk in _zipped(body) if zipped else body:
                await _send(answer, chunk, emulator)
            await answer.write_eof()
        except ConnectionError:
            pass  # the client went away, which is its right
    return answer


def _zipped(body: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=31)
    for chunk in body:
        yield packer.compress(chunk)
    yield packer.flush()


async def _send(answer: web.StreamResponse, chunk: bytes, emulator: Emulator) -> None:
    rate = emulator.settings.results_rate
    step = CHUNK_BYTES if rate == 0 else max(1, min(CHUNK_BYTES, rate // 20))
    view = memoryview(chunk)
    for start in range(0, len(chunk), step):
        part = view[start : start + step]
        await answer.write(part)
        emulator.stats.bytes_sent += len(part)
        if rate:
            await asyncio.sleep(len(part) / rate)


async def _stats(request: web.Request) -> web.Response:
    return _object(request, request.app[EMULATOR].stats.as_object())


async def _advance(request: web.Request) -> web.Response:
    try:
        seconds = msgspec.json.decode(await request.read(), type=dict[str, float])["seconds"]
        request.app[EMULATOR].clock.advance(seconds)
    except (msgspec.DecodeError, KeyError, ValueError):
        raise invalid('Send {"seconds": n} with n of 0 or more') from None
    return _object(request, {"seconds": seconds})


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """The emulator, listening, behind the fault kit where faults are asked for; gives its base URL.

    Raises:
        OSError: the address or the port cannot be had.
    """
    if settings.fault:
        script = Script(settings.fault, settings.fault_seed)
        async with (
            serving(replace(settings, host="127.0.0.1", port=0, fault=())) as upstream,
            faults_before(upstream, script, host=settings.host, port=settings.port) as base_url,
        ):
            yield base_url
        return
    # No lingering: handlers read the bodies they refuse, as far as that makes sense.
    runner = web.AppRunner(application(settings), access_log=None, shutdown_timeout=0.5, lingering_time=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        await runner.cleanup()
