"""Something between us and the API: creates that it answers itself, and a list that knows of a batch only later."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp
from aiohttp import web

from tests.clock import FakeClock


@dataclass
class Between:
    """What stands between.

    Attributes:
        base_url: where it listens.
        lag: seconds after which a batch is listed.
        creates: statuses it answers creates with, one after the other, and whether the API gets each all the same;
            then come the API's own answers.
        by_api: those of the statuses that come in the API's own words.
    """

    lag: float = 0.0
    creates: Sequence[tuple[int, bool]] = ()
    by_api: Sequence[int] = ()
    base_url: str = ""
    answered: list[int] = field(default_factory=list)


REFUSED = {"type": "error", "error": {"type": "rate_limit_error", "message": "the queue is full"}}
PAGE = "<html>something went wrong</html>"


@asynccontextmanager
async def standing(between: Between, upstream: str, clock: FakeClock) -> AsyncIterator[Between]:
    """Let it stand before the API at `upstream`."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            status = None
            if request.method == "POST" and len(between.answered) < len(between.creates):
                status, forwards = between.creates[len(between.answered)]
                between.answered.append(status)
                if status in between.by_api:
                    return web.json_response(REFUSED, status=status)
                if not forwards:
                    return web.Response(status=status, text=PAGE, content_type="text/html")
            headers = {name: request.headers[name] for name in ("x-api-key", "anthropic-version")}
            url = upstream + request.path_qs
            async with session.request(request.method, url, data=body, headers=headers) as answer:
                found = await answer.read()
                if status is not None:
                    return web.Response(status=status, text=PAGE, content_type="text/html")
                if request.path.endswith("/batches") and request.method == "GET" and between.lag:
                    page = json.loads(found)
                    page["data"] = [one for one in page["data"] if _age(one, clock) >= between.lag]
                    found = json.dumps(page).encode()
                return web.Response(body=found, status=answer.status, content_type=answer.content_type)

        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        between.base_url = "http://{}:{}".format(*runner.addresses[0][:2])
        yield between


def _age(batch: dict[str, str], clock: FakeClock) -> float:
    return clock.now().timestamp() - datetime.fromisoformat(batch["created_at"]).timestamp()
