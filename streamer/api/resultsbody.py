"""The body of a results answer as it comes off the wire, with what its readers may know of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

from streamer.api.masking import Printable
from streamer.api.throughput import Throughput
from streamer.api.transport import NoAnswer, Response
from streamer.clock import Clock
from streamer.errors import TransportError

HEADER_CHARACTERS = 1024  # of one header's value that whoever reads results gets


class PrintableHeaders(Mapping[str, str]):
    """The headers of an answer, found in any case, each value made fit to show when it is looked up.

    Errors quote them far from here, where nobody knows the key that a server may have echoed.
    """

    def __init__(self, headers: Mapping[str, str], shown: Printable) -> None:
        self._headers = headers
        self._shown = shown

    def __getitem__(self, name: str) -> str:
        return self._shown(self._headers[name], HEADER_CHARACTERS)

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)


class ResultsBody:
    """The body of a results answer as it comes off the wire; iterate over it for chunks of bytes, still encoded.

    Read it promptly: what has arrived but was not read is lost when the connection breaks.

    Attributes:
        status: 200, or 206 when a Range was asked for and served.
        headers: the answer's headers, found in any case, fit to show and without the key.
        received: bytes read so far.
        retries: how many attempts failed before this one.
    """

    def __init__(self, response: Response, *, what: str, retries: int, clock: Clock) -> None:
        self._response = response
        self._what = what
        self._clock = clock
        self._limits = response.timeouts
        self._throughput = Throughput(least=self._limits.least_rate, window=self._limits.rate_window)
        self.status = response.status
        self.headers: Mapping[str, str] = PrintableHeaders(response.headers, response.shown)
        self.retries = retries

    def __repr__(self) -> str:
        return f"<ResultsBody {self.status}, {self.received:,} bytes read>"

    @property
    def received(self) -> int:
        """Bytes read so far."""
        return self._response.received

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        asked = self._clock.monotonic()
        data = await self._response.chunk()
        if isinstance(data, NoAnswer):
            raise self._broken(data.reason)
        if not data:
            raise StopAsyncIteration
        if self._throughput.too_slow(seconds=self._clock.monotonic() - asked, size=len(data)):
            rate, window = self._limits.least_rate, self._limits.rate_window
            raise self._broken(f"the server sent less than {rate:,g} B/s for {window:g} s")
        return data

    def _broken(self, reason: str) -> TransportError:
        return TransportError(
            f"{self._what}: {reason} after {self.received:,} bytes of the body", received=self.received
        )
