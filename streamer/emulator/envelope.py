"""The body of a create, read with ijson as it arrives: never more than one request of it is in memory.

What the API checks at once is checked here: the body's shape, each custom_id, how many requests. What it checks
later (the params) is left to whoever takes the requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ijson

from streamer.emulator.errors import Refusal, invalid

_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SHOWN = 80  # characters of the sender's own text that an error message repeats

Take = Callable[[str, dict[str, Any]], None]


class Envelope:
    """Takes the body chunk by chunk and hands on each request as soon as it is whole.

    Args:
        take: called with the custom_id and the params of each request, in order.
        max_requests: how many requests a batch may have.
        max_bytes: how long the body may be.

    >>> seen = []
    >>> envelope = Envelope(lambda custom_id, params: seen.append(custom_id), max_requests=10, max_bytes=1000)
    >>> envelope.feed(b'{"requests":[{"custom_id":"a","para')
    >>> envelope.feed(b'ms":{}}]}')
    >>> envelope.finish()
    1
    >>> seen
    ['a']
    """

    def __init__(self, take: Take, *, max_requests: int, max_bytes: int) -> None:
        self._shape = _Shape(take, max_requests)
        self._parser = ijson.basic_parse_coro(self._shape, use_float=True)
        self._max_bytes = max_bytes
        self._bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Read on.

        Raises:
            Refusal: 400 or 413; the rest of the body is of no interest then.
        """
        self._bytes += len(chunk)
        if self._bytes > self._max_bytes:
            raise too_large(self._max_bytes)
        if chunk:
            self._parse(chunk)

    def finish(self) -> int:
        """The body is over; how many requests it had.

        Raises:
            Refusal: it ended too early, or lacks what it must have.
        """
        with suppress(StopIteration):  # the parser of a good body is done
            self._parse(b"")  # means the end to ijson
        return self._shape.finish()

    def _parse(self, chunk: bytes) -> None:
        try:
            self._parser.send(chunk)
        except (ijson.JSONError, UnicodeDecodeError):
            raise self._broken() from None

    def _broken(self) -> Refusal:
        return invalid(f"The request body is not valid JSON (within its first {self._bytes} bytes)")


def too_large(most: int) -> Refusal:
    """The answer to a body above the limit."""
    return Refusal(413, f"Request exceeds the maximum size of {most} bytes")


class _Shape:
    """Follows the parser's events through `{"requests":[{"custom_id":...,"params":{...}}]}`."""

    def __init__(self, take: Take, max_requests: int) -> None:
        self._take = take
        self._max_requests = max_requests
        self._seen: set[str] = set()
        self._has_requests = False
        self._depth = 0  # of what is open: 1 the body, 2 the list, 3 a request
        self._key = ""
        self._request: dict[str, Any] = {}
        self._value: ijson.ObjectBuilder | None = None  # builds what a request's key stands for
        self._value_depth = 0

    def send(self, event: tuple[str, Any]) -> None:
        """One event of the parser."""
        name, value = event
        if self._value is not None:
            self._build(name, value)
        elif self._depth == 3:
            self._in_request(name, value)
        elif self._depth == 2:
            self._in_list(name)
        elif self._depth == 1:
            self._in_body(name, value)
        elif name == "start_map":
            self._depth = 1
        elif name != "end_map":
            raise invalid("Input should be a valid dictionary")

    def finish(self) -> int:
        if not self._has_requests:
            raise invalid("requests: Field required")
        if not self._seen:
            raise invalid("requests: List should have at least 1 item after validation, not 0")
        return len(self._seen)

    def _in_body(self, name: str, value: Any) -> None:
        if name == "map_key":
            if value != "requests":
                raise invalid(f"{_shown(value)}: Extra inputs are not permitted")
        elif name == "start_array":
            self._has_requests = True
            self._depth = 2
        elif name == "end_map":
            self._depth = 0
        else:
            raise invalid("requests: Input should be a valid list")

    def _in_list(self, name: str) -> None:
        if name == "end_array":
            self._depth = 1
        elif name != "start_map":
            raise invalid(f"requests.{len(self._seen)}: Input should be a valid dictionary")
        elif len(self._seen) == self._max_requests:
            most = self._max_requests
            raise invalid(f"requests: List should have at most {most} items after validation, not {most + 1}")
        else:
            self._request = {}
            self._depth = 3

    def _in_request(self, name: str, value: Any) -> None:
        if name == "end_map":
            self._depth = 2
            self._complete()
        elif value in ("custom_id", "params"):
            self._key = value
            self._value = ijson.ObjectBuilder()
        else:
            raise invalid(f"requests.{len(self._seen)}.{_shown(value)}: Extra inputs are not permitted")

    def _build(self, name: str, value: Any) -> None:
        builder = self._value
        assert builder is not None  # noqa: S101 - send() has just looked; for the type checker
        builder.event(name, value)
        if name in ("start_map", "start_array"):
            self._value_depth += 1
        elif name in ("end_map", "end_array"):
            self._value_depth -= 1
        if self._value_depth == 0:
            self._request[self._key] = builder.value
            self._value = None

    def _complete(self) -> None:
        at = f"requests.{len(self._seen)}"
        for name in ("custom_id", "params"):
            if name not in self._request:
                raise invalid(f"{at}.{name}: Field required")
        custom_id, params = self._request["custom_id"], self._request["params"]
        if not isinstance(custom_id, str):
            raise invalid(f"{at}.custom_id: Input should be a valid string")
        if len(custom_id) > 64:
            raise invalid(f"{at}.custom_id: String should have at most 64 characters")
        if not custom_id:
            raise invalid(f"{at}.custom_id: String should have at least 1 character")
        if not _CUSTOM_ID.fullmatch(custom_id):
            raise invalid(f"{at}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if custom_id in self._seen:
            raise invalid(f"{at}.custom_id: custom_id must be unique within the batch, {custom_id!r} is not")
        if not isinstance(params, dict):
            raise invalid(f"{at}.params: Input should be a valid dictionary")
        self._seen.add(custom_id)
        self._take(custom_id, params)


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
