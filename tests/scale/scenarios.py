"""What must hold at any size: each scenario runs a command, asserts, and gives back what it measured.

The test suite runs them small; `python -m tests.scale` runs them as large as the API allows.
"""

from __future__ import annotations

import filecmp
import http.client
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from streamer.emulator.running import RunningEmulator, running
from tests.cli.command import listed
from tests.emulated import asked
from tests.peers.nginx import Nginx
from tests.scale.measured import Measured, measured

LIMIT = 100_000_000  # bytes of memory that one download may take in all, the interpreter included
BUDGET_LIMIT = 330_000_000  # bytes of memory that a run may take, however many downloads are under way
PROCESS_LIMIT = 150_000_000  # bytes of memory that `streamer process` may take, whatever it is given
FLAT = 1.2  # times the memory of a few batches that many may take
POLL_INTERVAL = 0.2  # seconds
CONCURRENCY = 8


def many_batches(folder: Path, *, few: int, many: int, records: int, steps: int, seed: int) -> str:
    """Batches that end one by one: every record of each, no request too many, memory as for a few of them.

    Args:
        folder: where files go.
        few: batches of the run that sets the measure for memory.
        many: batches that end one by one.
        records: of each batch.
        steps: times that the clock moves on, each time after the client has asked, until all have ended.
        seed: decides records and when each batch ends.
    """
    settings = {"records": records, "seed": seed, "mix": "succeeded=0.9,errored=0.1"}
    (folder / "few").mkdir()
    with running(**settings, fill_ended=few) as emulator:
        measure = measured("--all", cwd=folder / "few", base_url=emulator.base_url)
    words = ("--all", "--concurrency", str(CONCURRENCY), "--poll-interval", str(POLL_INTERVAL))
    # The clock stands still but for its steps. Batches end after 1 to 19 seconds of it.
    times = {"speed": 1e-9, "duration": 10, "duration_spread": 0.9, "retry_after": 0}
    with running(**settings, **times, fill=many) as emulator, ThreadPoolExecutor(1) as thread:
        started = thread.submit(measured, *words, cwd=folder, base_url=emulator.base_url)
        seen = 0
        while not started.done():
            if (polls := asked(emulator)) > seen:
                emulator.advance(20 / steps)
                seen = polls
            time.sleep(POLL_INTERVAL / 10)
        run, polls = started.result(), asked(emulator)
        _complete(run, many * records)
        stats = emulator.stats()
        assert stats["requests"]["results"] == many
        assert stats["most_downloads"] <= CONCURRENCY
        assert run.report["requests"] == polls + many
        # Batches due within a fifth of the interval are asked for together. A round is one page for every 1,000
        # batches that are near each other; once only two are left, it is a request for each of them.
        assert steps / 2 < polls <= 2 * (1 + run.seconds / (0.8 * POLL_INTERVAL))
        for batch_id in listed(emulator):
            _same(emulator, batch_id, folder)
    growth = run.peak / measure.peak
    assert growth <= FLAT, f"{run}; {few} batches: {measure}"
    return f"{many} batches: {run}, {growth:.2f} times that of {few}; {polls} polls and {many} downloads"


def long_record(folder: Path, *, size: int, seed: int) -> str:
    """One record that is longer than what may be held, between others of the usual size."""
    with running(fill_ended=1, records=20, huge_bytes=size, seed=seed) as emulator:
        run = measured("--all", cwd=folder, base_url=emulator.base_url)
        _complete(run, 20)
        [batch_id] = listed(emulator)
        _same(emulator, batch_id, folder)
    assert run.report["bytes"] > size
    assert run.peak < LIMIT
    return f"a record of {size / 1e6:,.0f} MB: {run}"


def long_records_at_once(folder: Path, *, batches: int, size: int, seed: int) -> str:
    """Long records of several batches at once, each of which may be held: all of them together may not."""
    with running(fill_ended=batches, records=20, huge_bytes=size, seed=seed) as emulator:
        run = measured("--all", "--concurrency", str(batches), cwd=folder, base_url=emulator.base_url)
        _complete(run, batches * 20)
        for batch_id in listed(emulator):
            _same(emulator, batch_id, folder)
    assert run.peak < BUDGET_LIMIT
    return f"{batches} records of {size / 2**20:.1f} MiB at once: {run}"


def copies_at_once(folder: Path, *, batches: int, records: int, rate: int, seed: int) -> str:
    """So many downloads at once, each slow enough for all of them to be under way together."""
    settings = {"fill_ended": batches, "records": records, "record_bytes": 10_000, "results_rate": rate, "seed": seed}
    with running(**settings) as emulator:
        run = measured("--all", "--concurrency", str(batches), cwd=folder, base_url=emulator.base_url)
        _complete(run, batches * records)
        most = emulator.stats()["most_downloads"]
    shutil.rmtree(folder / "results")
    assert run.peak < BUDGET_LIMIT
    return f"{batches} copies, {most} at once: {run}"


def large_batch(folder: Path, *, records: int, record_bytes: int, seed: int) -> str:
    """A batch of many records."""
    with running(fill_ended=1, records=records, record_bytes=record_bytes, seed=seed) as emulator:
        run = measured("--all", cwd=folder, base_url=emulator.base_url)
        _complete(run, records)
        [batch_id] = listed(emulator)
        _same(emulator, batch_id, folder)
    assert run.peak < LIMIT
    return f"a batch of {records:,} records of {record_bytes:,} bytes: {run}"


def static_file(folder: Path, *, records: int, record_bytes: int) -> str:
    """The results of a batch as a file that nginx serves."""
    with Nginx(folder / "nginx") as nginx:
        results = nginx.put("msgbatch_static", records, record_bytes)
        run = measured("msgbatch_static", cwd=folder, base_url=nginx.base_url)
        _complete(run, records)
        statuses = [status for status, *_ in nginx.answers()]
    written = folder / "results" / "msgbatch_static.jsonl"
    assert filecmp.cmp(written, results, shallow=False)
    written.unlink()
    results.unlink()
    assert statuses == [200, 200]
    assert run.peak < LIMIT
    return f"nginx: {run}"


def process_file(folder: Path, *, requests: int, request_bytes: int, batches: int, most: int, seed: int) -> str:
    """A file of requests through `streamer process`: an answer to each, in their order.

    Args:
        folder: where files go.
        requests: how many.
        request_bytes: about how long each is.
        batches: how many the first attempt takes.
        most: requests of one batch at most.
        seed: decides which requests fail.
    """
    file = folder / "requests.jsonl"
    filler = b"x" * max(0, request_bytes - 150)
    with file.open("wb") as lines:
        for n in range(requests):
            lines.write(
                b'{"custom_id":"request-%07d","params":{"model":"claude-haiku-5-5","max_tokens":64,'
                b'"messages":[{"role":"user","content":"%d %b"}]}}\n' % (n, n, filler)
            )
    settings = {
        "duration": 1,
        "retry_after": 0,
        "record_bytes": 400,
        "mix": "succeeded=0.95,expired=0.05",
        "seed": seed,
    }
    words = ("requests.jsonl", "--to", "answers.jsonl", "--retry", "9", "--max-requests", str(most))
    with running(**settings) as emulator:
        poll = ("--poll-interval", str(POLL_INTERVAL))
        run = measured(*words, *poll, cwd=folder, base_url=emulator.base_url, command="process")
        stats = emulator.stats()
    size = file.stat().st_size
    assert (run.code, run.complaints) == (0, "")
    assert run.report["answers"] == {"succeeded": requests}
    assert stats["batches_created"] == run.report["batches"] == batches + run.report["attempts"] - 1
    with (folder / "answers.jsonl").open("rb") as answers:
        for n, answer in enumerate(answers):
            assert answer.startswith(b'{"custom_id":"request-%07d",' % n)
    assert n == requests - 1
    shutil.rmtree(folder / "requests.jsonl.streamer")
    file.unlink()
    (folder / "answers.jsonl").unlink()
    assert run.peak < PROCESS_LIMIT, run
    return (
        f"process of {size / 1e6:,.0f} MB: {run}; {batches} batches, then {run.report['sent_again']:,} requests again "
        f"in {run.report['attempts'] - 1} attempts"
    )


def _complete(run: Measured, records: int) -> None:
    """Assert that a run delivered so many records and complained of nothing but requests that failed."""
    assert run.code == 0
    assert all("requests did not succeed" in line for line in run.complaints.splitlines()), run.complaints
    assert sum(run.report["records"].values()) == records


def _same(emulator: RunningEmulator, batch_id: str, folder: Path) -> None:
    """Assert that the file of a batch is the emulator's results, byte for byte, and a last newline; remove it."""
    connection = http.client.HTTPConnection(urlsplit(emulator.base_url).netloc)
    headers = {"x-api-key": emulator.api_key, "anthropic-version": "2023-06-01"}
    connection.request("GET", f"/v1/messages/batches/{batch_id}/results", headers=headers)
    answer = connection.getresponse()
    path = folder / "results" / f"{batch_id}.jsonl"
    with path.open("rb") as file:
        while chunk := answer.read(1 << 20):
            assert file.read(len(chunk)) == chunk
        assert file.read() == b"\n"
    connection.close()
    path.unlink()  # gigabytes are not to pile up
