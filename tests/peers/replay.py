"""A server that answers as a recording says, exchange by exchange, to whoever asks in the same order.

A recording is a JSON file: `exchanges`, each with the `request` that was sent, the `response` that came (status,
headers, and the body, decoded) and how often the same pair was `repeated` in a row. Three things are not as recorded:
addresses of results name this server, times are moved so that the batch was created when it is asked for, and the
hint to wait ten seconds becomes one to wait ten milliseconds.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

POLLS = 3  # of the same answer in a row; recordings hold up to 35, which would only take longer
CHUNK = 1000  # bytes; no recording says where the chunks were cut
HINT = "0.01"  # seconds; what the hint to wait ten becomes

ORIGIN = "https://api.anthropic.com"
NOT_RECORDED = {"status": 404, "headers": {"transfer-encoding": "chunked"}, "body": "this was not recorded"}

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")

Exchange = dict[str, Any]


class Recording:
    """One recording and what is in it.

    Attributes:
        batch_id: the batch that it is about.
        created_at: when that was created.
        requests: what the batch was created from, as the body that was sent.
        exchanges: all of them, in order.
        results: the body of its results; None when nobody fetched them.
        counts: the `request_counts` of the batch when it was last seen.
    """

    def __init__(self, path: Path) -> None:
        self.exchanges: list[Exchange] = json.loads(path.read_text())["exchanges"]
        created, *_ = self.exchanges
        self.requests: dict[str, Any] = json.loads(created["request"]["body"])
        batch = json.loads(created["response"]["body"])
        self.batch_id: str = batch["id"]
        self.created_at = datetime.fromisoformat(batch["created_at"])
        self.results: bytes | None = None
        for exchange in self.exchanges:
            body = exchange["response"]["body"]
            if route(exchange) == f"GET /v1/messages/batches/{self.batch_id}/results":
                self.results = body.encode()
            else:
                self.counts: dict[str, int] = json.loads(body)["request_counts"]

    def routes(self) -> list[str]:
        """The requests that a client has to send, in order: it asks until the batch has ended, and then no more."""
        found: list[str] = []
        for exchange in self.exchanges:
            final = '"processing_status":"ended"' in exchange["response"]["body"]
            found += [route(exchange)] * (1 if final else times(exchange))
        return found


def route(exchange: Exchange) -> str:
    """Method and path of a recorded request."""
    request = exchange["request"]
    return f"{request['method']} {urlsplit(request['url']).path}"


def times(exchange: Exchange) -> int:
    """How often an exchange is replayed."""
    repeated: int = exchange.get("repeated", 1)
    return min(repeated, POLLS)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._replay(b"")

    def do_POST(self) -> None:
        self._replay(self.rfile.read(int(self.headers.get("content-length", 0))))

    def _replay(self, sent: bytes) -> None:
        answer = self.server.next_answer(f"{self.command} {self.path}", sent)
        headers = dict(answer["headers"])
        body = answer["body"].encode()
        if headers.get("content-type") == "application/json":
            body = self.server.moved(answer["body"]).encode()
        if headers.get("content-encoding") == "gzip":
            if "gzip" in self.headers.get("accept-encoding", ""):
                body = gzip.compress(body)
            else:  # the client of the recording asked for it, this one does not
                del headers["content-encoding"]
        if "retry-after" in headers:
            headers["retry-after"] = self.server.hint
        self.send_response_only(answer["status"])
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, len(body), CHUNK):
            chunk = body[start : start + CHUNK]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, recording: Recording, hint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hint = hint
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.heard: list[str] = []  # the requests that came
        self.bodies: list[bytes] = []  # and what was sent with them
        self._later = datetime.now(UTC) - recording.created_at
        self._answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for exchange in recording.exchanges:
            self._answers[route(exchange)] += [exchange["response"]] * times(exchange)

    def next_answer(self, asked: str, sent: bytes) -> dict[str, Any]:
        """The next answer to a request; the last one stays."""
        self.heard.append(asked)
        self.bodies.append(sent)
        answers = self._answers[asked] or [NOT_RECORDED]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def moved(self, body: str) -> str:
        """The recorded object of a batch, brought here and now."""

        def later(match: re.Match[str]) -> str:
            return (datetime.fromisoformat(match[0]) + self._later).isoformat(timespec="microseconds")

        return TIME.sub(later, body.replace(f'"{ORIGIN}/', f'"{self.url}/'))


@contextmanager
def replaying(recording: Recording, *, hint: str = HINT) -> Iterator[_Server]:
    """Replay while the block runs; `hint` stands in for each recorded `retry-after`."""
    with _Server(recording, hint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
