"""nginx as a Message Batches API: a static site whose files are a batch and its results."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")

CONFIG = """
daemon off;
master_process off;
error_log {folder}/error.log;
pid {folder}/pid;
events {{ }}
http {{
    log_format answers '$status $body_bytes_sent $uri';
    access_log {folder}/answers.log answers;
    client_body_temp_path {folder}/temporary;
    proxy_temp_path {folder}/temporary;
    fastcgi_temp_path {folder}/temporary;
    uwsgi_temp_path {folder}/temporary;
    scgi_temp_path {folder}/temporary;
    sendfile on;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/site;
        default_type application/json;
        location ~ ^/v1/messages/batches/(?<id>[^/]+)$ {{ try_files /$id.json =404; }}
        location ~ ^/v1/messages/batches/(?<id>[^/]+)/results$ {{
            default_type application/x-jsonl;
            try_files /$id.jsonl =404;
            {more}
        }}
    }}
}}
"""


class Nginx:
    """An nginx in a folder of its own, on a port that stays the same when it is stopped and started again.

    Args:
        folder: where its configuration, its logs and its site go.
        more: more configuration for results, e.g. `limit_rate 1m;`.
    """

    def __init__(self, folder: Path, more: str = "") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self._port}"
        self.site = folder / "site"
        self.site.mkdir(parents=True)
        self._folder = folder
        (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=self._port, more=more))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it listens."""
        assert NGINX is not None
        config = self._folder / "nginx.conf"
        self._process = subprocess.Popen([NGINX, "-p", self._folder, "-c", config], stderr=subprocess.DEVNULL)
        while True:
            assert self._process.poll() is None, (self._folder / "error.log").read_text()
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self._port)):
                return
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it at once, in the middle of whatever it sends."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def answers(self) -> list[tuple[int, int, str]]:
        """What it has answered to its end: status, bytes of the body, path of the file."""
        lines = (line.split() for line in (self._folder / "answers.log").read_text().splitlines())
        return [(int(status), int(size), path) for status, size, path in lines]

    def put(self, batch_id: str, records: int, record_bytes: int) -> Path:
        """Put an ended batch with so many records, all succeeded, on the site; the file of its results."""
        now = datetime.now(UTC)
        counts = {"processing": 0, "succeeded": records, "errored": 0, "canceled": 0, "expired": 0}
        batch = {
            "id": batch_id,
            "type": "message_batch",
            "processing_status": "ended",
            "request_counts": counts,
            "created_at": (now - timedelta(hours=2)).isoformat(),
            "expires_at": (now + timedelta(hours=22)).isoformat(),
            "ended_at": (now - timedelta(hours=1)).isoformat(),
            "cancel_initiated_at": None,
            "archived_at": None,
            "results_url": f"{self.base_url}/v1/messages/batches/{batch_id}/results",
        }
        (self.site / f"{batch_id}.json").write_text(json.dumps(batch))
        file = self.site / f"{batch_id}.jsonl"
        with file.open("wb") as results:
            for number in range(records):
                results.write(_record(number, record_bytes) + b"\n")
        return file


WORDS = "Größe, taille, “size”: 10 kB\\n".encode()  # in JSON: the last two characters are a newline
HEAD = (
    b'{"custom_id":"request-%d","result":{"type":"succeeded","message":{"id":"msg_%d","type":"message",'
    b'"role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","text":"'
)
TAIL = b'"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":2500}}}}'


def _record(number: int, size: int) -> bytes:
    head = HEAD % (number, number)
    return head + WORDS * max(1, (size - len(head) - len(TAIL)) // len(WORDS)) + TAIL
