"""A client and the event loops it is used on: one after another, not two at once."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from streamer.api.client import Client
from streamer.api.origin import BaseUrl
from streamer.errors import ConfigurationError
from tests.api.servers import KEY, Server, batch, reply
from tests.api.test_client import client_of
from tests.leftovers import descriptors


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # what the closed loop left open
def test_a_client_is_used_on_one_loop_after_another_and_a_closed_one_says_so() -> None:
    client = Client(api_key=KEY, base_url="http://127.0.0.1:9")

    async def use() -> int:
        async with Server([reply(200, batch())]) as server:
            client._exchange.base = BaseUrl.parse(server.url)  # each loop's server has a port of its own
            await asyncio.gather(*(client.retrieve("msgbatch_1") for _ in range(3)))
        return len(server.seen)

    before = len(descriptors())
    assert [asyncio.run(use()) for _ in range(3)] == [3, 3, 3]
    asyncio.run(client.close())
    gc.collect()
    assert len(descriptors()) <= before
    with pytest.raises(ConfigurationError, match="the client is closed; make a new one"):
        asyncio.run(client.retrieve("msgbatch_1"))


async def test_a_client_that_another_open_loop_uses_is_refused() -> None:
    async with Server([reply(200, batch())]) as server, client_of(server) as client:
        await client.retrieve("msgbatch_1")
        errors: list[BaseException] = []

        def elsewhere() -> None:
            try:
                asyncio.run(client.retrieve("msgbatch_1"))
            except ConfigurationError as error:
                errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert "make a Client for each loop" in str(errors[0])
        await client.retrieve("msgbatch_1")
