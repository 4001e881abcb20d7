"""The pages of the workspace's list: as large as whoever answers allows, and told once what cannot be read in them."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from streamer.api import decoding
from streamer.api.exchange import Call, Exchange, Polled
from streamer.api.retry import PAGE_REFUSED_STATUSES, Operation
from streamer.api.types import PAGE_LIMIT, BatchPage
from streamer.errors import ApiError, GatewayError

log = logging.getLogger("streamer.api")

PAGE_BYTES = 8 << 20  # a batch is some 600 bytes, so ten times a full page
SMALLER = (100, 20)  # what gateways allow that do not allow the API's 1000; 20 is what the API gives unasked


class Pages:
    """Asks for list pages; what is learned about their size holds for the client's life."""

    def __init__(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        self._exchange = exchange
        self._headers = headers
        self._allowed = PAGE_LIMIT  # no larger page was refused so far
        self._given = 0  # the largest that was given
        self._told: set[str] = set()  # ids of items that could not be read

    def __repr__(self) -> str:
        return f"<Pages of {self._allowed:,} batches at most>"

    async def ask(self, limit: int, *, after_id: str | None, before_id: str | None) -> Polled[BatchPage]:
        """A page of `limit` batches, or of fewer where such a page is refused.

        Raises:
            ApiError, TransportError: no page is to be had.
        """
        refused: ApiError | GatewayError | None = None
        largest = min(limit, self._allowed)
        sizes = [largest, *(smaller for smaller in SMALLER if smaller < largest)]
        while True:
            size = sizes.pop(0)
            try:
                polled = await self._page(size, after_id, before_id)
            except (ApiError, GatewayError) as error:
                # What was given before is not refused for its size; the cursor may be gone.
                if error.status not in PAGE_REFUSED_STATUSES or size <= self._given:
                    raise
                refused = refused or error
                if not sizes:
                    raise refused from None
                continue
            if refused is not None:
                self._allowed = size
                log.warning("%s; pages of %d are given", refused, size, extra={"action": "smaller_pages"})
            self._given = max(self._given, size)
            self._tell(polled.value)
            return polled

    async def _page(self, limit: int, after_id: str | None, before_id: str | None) -> Polled[BatchPage]:
        call = Call(
            operation=Operation.LIST,
            what="list batches",
            method="GET",
            to=self._exchange.base.batches(limit=limit, after_id=after_id, before_id=before_id),
            headers=self._headers,
            cap=PAGE_BYTES,
        )
        return await self._exchange.ask(call, decoding.PAGE)

    def _tell(self, page: BatchPage) -> None:
        for item in page.undecodable:
            if item.id not in self._told:
                self._told.add(item.id)
                extra = {"action": "undecodable", "batch_id": item.id}
                named = item.id or "without an id"
                log.warning("an item of the list, %s, cannot be read as a batch: %s", named, item.reason, extra=extra)
