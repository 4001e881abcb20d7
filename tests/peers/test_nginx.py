"""`streamer run` against nginx: a file with a length, a validator and ranges, none of which the API itself has."""

from __future__ import annotations

import filecmp
import time
from pathlib import Path

import pytest

from tests.cli.command import Started
from tests.peers.nginx import NGINX, Nginx
from tests.scale.scenarios import static_file

pytestmark = pytest.mark.skipif(
    NGINX is None, reason="no Python package brings nginx (Debian: apt install nginx-light)"
)

BATCH = "msgbatch_static"


def test_a_file_of_100_mb_comes_whole_in_little_memory(tmp_path: Path) -> None:
    static_file(tmp_path, records=10_000, record_bytes=10_000)


def test_a_server_that_dies_in_the_middle_goes_on_from_there_when_it_is_back(tmp_path: Path) -> None:
    with Nginx(tmp_path / "nginx", "limit_rate 16m;") as nginx:
        results = nginx.put(BATCH, 2000, 10_000)
        with Started("run", BATCH, cwd=tmp_path, base_url=nginx.base_url) as started:
            part = tmp_path / "results" / f"{BATCH}.jsonl.part"
            while not (part.exists() and part.stat().st_size > 4_000_000):
                assert started.process.poll() is None
                time.sleep(0.01)
            nginx.stop()
            nginx.start()
            assert started.done.returncode == 0
            assert started.done.stderr.count("the connection broke") == 1
        status, sent, _ = nginx.answers()[-1]
    assert filecmp.cmp(part.with_suffix(""), results, shallow=False)
    assert status == 206
    assert sent < results.stat().st_size - 4_000_000
