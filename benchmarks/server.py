"""The results server, in a process of its own: nginx where it is installed, else our own with sendfile."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.certificate import make

START_SECONDS = 20.0

NGINX = """\
daemon off;
master_process off;
pid {work}/nginx.pid;
error_log {work}/nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    default_type application/x-jsonl;
    client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3;
    uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        listen 127.0.0.1:{tls_port} ssl backlog=2048;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        root {root};
        location ~ /v1/messages/batches$ {{ default_type application/json; rewrite ^(.*)$ $1/_list break; }}
        location ~ /v1/ {{ default_type application/json; }}
        location /gzip/results/ {{ add_header Content-Encoding gzip; }}
    }}
}}
"""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A results server that listens.

    Attributes:
        name: which program it is.
        origins: where, by scheme: `http` and `https`.
        authority: the certificate authority that vouches for it.
    """

    name: str
    origins: dict[str, str]
    authority: Path


@contextmanager
def serving(root: Path, work: Path, *, nginx: str | None = shutil.which("nginx")) -> Iterator[Server]:
    """Serve the files under `root` while the block runs; `work` is for what the server itself needs."""
    authority, certificate = make(work)
    port, tls_port = _free_port(), _free_port()
    if nginx:
        config = work / "nginx.conf"
        config.write_text(
            NGINX.format(work=work, root=root, port=port, tls_port=tls_port, certificate=certificate), encoding="utf-8"
        )
        command = [nginx, "-c", str(config), "-e", str(work / "nginx.log")]
        version = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
        name = version.strip().rpartition(" ")[2]
    else:
        command = [sys.executable, "-m", "benchmarks.sendfile", str(root), str(port), str(tls_port), str(certificate)]
        name = "our own, with sendfile"
    process = subprocess.Popen(command)
    try:
        _wait(process, port)
        _wait(process, tls_port)
        origins = {"http": f"http://127.0.0.1:{port}", "https": f"https://127.0.0.1:{tls_port}"}
        yield Server(name=name, origins=origins, authority=authority)
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the results server does not listen on port {port}") from None
            time.sleep(0.02)
        else:
            return
