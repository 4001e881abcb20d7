"""A server that gets wrong what servers and the things before them get wrong, batch by batch."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD, REFUSED, BROKEN, ELSEWHERE = "msgbatch_good", "msgbatch_refused", "msgbatch_broken", "msgbatch_elsewhere"
MALFORMED, UNKNOWN = "../../etc/passwd", "msgbatch_unknown"
ALL = (MALFORMED, UNKNOWN, REFUSED, BROKEN, ELSEWHERE, GOOD)

RECORD = '{"custom_id":"%s","result":{"type":"canceled"}}'
ESCAPE = "\x1b[31m"  # turns a terminal red, if it gets there


def error(kind: str, message: str) -> dict[str, Any]:
    """An error as the API sends it."""
    return {"type": "error", "error": {"type": kind, "message": message}}


RESULTS = {
    GOOD: ("application/x-jsonl", "\n".join([RECORD % "a", RECORD % "b"])),
    REFUSED: ("application/json", json.dumps(error("invalid_request_error", f"{ESCAPE}no results here"))),
    BROKEN: ("application/x-jsonl", "\n".join(['{"custom_id":"b","result":{"type":}}', RECORD % "a"])),
    ELSEWHERE: ("application/x-jsonl", ""),
}


def batch(batch_id: str, base_url: str) -> dict[str, Any]:
    """A batch of two canceled requests, ended."""
    host = "http://127.0.0.2:9" if batch_id == ELSEWHERE else base_url
    return {
        "id": batch_id,
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 2, "expired": 0},
        "created_at": "2026-01-12T05:59:14.154311+00:00",
        "expires_at": "2026-01-13T05:59:14.154311+00:00",
        "ended_at": "2026-01-12T06:59:14.154311+00:00",
        "cancel_initiated_at": None,
        "archived_at": None,
        "results_url": f"{host}/v1/messages/batches/{batch_id}/results",
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        if self.path.startswith("/flaky") and len(self.server.paths) == 1:
            later = error("overloaded_error", "try later")
            self._answer(529, "application/json", json.dumps(later), {"retry-after-ms": "10"})
            return
        words = self.path.partition("?")[0].split("/")
        if words[-1] == "batches":
            page = {"data": [batch(one, self.server.url) for one in RESULTS], "has_more": False}
            self._answer(200, "application/json", json.dumps(page))
        elif words[-1] == "results":
            self._answer(400 if words[-2] == REFUSED else 200, *RESULTS[words[-2]])
        elif words[-1] in RESULTS:
            self._answer(200, "application/json", json.dumps(batch(words[-1], self.server.url)))
        else:
            missing = error("not_found_error", f"{ESCAPE}not found")
            self._answer(404, "application/json", json.dumps(missing), {"x-should-retry": "false"})

    def do_POST(self) -> None:
        """Take a create and hang up, so that nobody knows whether it worked."""
        self.rfile.read(int(self.headers["content-length"]))
        self.server.paths.append(self.path)
        self.close_connection = True

    def _answer(self, status: int, kind: str, text: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(text)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paths: list[str] = []  # of every request that came
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving() -> Iterator[_Server]:
    """Serve while the block runs."""
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
