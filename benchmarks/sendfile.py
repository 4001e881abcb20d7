"""A server of static files that uses sendfile, for machines without nginx: `python -m benchmarks.sendfile ROOT ...`."""

from __future__ import annotations

import os
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

PIECE = 1 << 20


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = Path()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        file = self.root / (path + "/_list" if path.endswith("/v1/messages/batches") else path).lstrip("/")
        if ".." in path or not file.is_file():
            self.send_error(404)
            return
        size = file.stat().st_size
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.send_header("Content-Type", "application/json" if "/v1/" in path else "application/x-jsonl")
        if path.startswith("/gzip/results/"):
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.flush()
        with file.open("rb") as source:
            if isinstance(self.connection, ssl.SSLSocket):
                while piece := source.read(PIECE):
                    self.connection.sendall(piece)
                return
            sent = 0
            while sent < size:
                sent += os.sendfile(self.connection.fileno(), source.fileno(), sent, size - sent)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gave it
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves early is no news."""


def serve(root: Path, port: int, tls_port: int, certificate: str) -> None:
    """Serve `root` on two ports until the process ends."""
    _Handler.root = root
    plain = _Server(("127.0.0.1", port), _Handler)
    secure = _Server(("127.0.0.1", tls_port), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    Thread(target=plain.serve_forever, daemon=True).start()
    secure.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
