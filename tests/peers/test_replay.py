"""`streamer` against recorded traffic of the Message Batches API: what was recorded comes out, byte for byte."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamer.api.client import Client
from streamer.watching.roster import Ended
from streamer.watching.watch import WatchOptions, watch
from tests.cli.command import KEY, streamer
from tests.clock import FakeClock
from tests.peers.replay import Recording, replaying

OURS = sorted((Path(__file__).parent / "fixtures").glob("*.json"))
# Recordings of others, which are not ours to publish, may lie in a folder `wire` beside the checkout.
OTHERS = sorted(
    path for path in Path(__file__).parents[3].glob("*/wire/*.json") if '"exchanges"' in path.read_text()[:2000]
)


async def create(recording: Recording, base_url: str, *, cancel: bool) -> list[str]:
    """Make the batch as the recorded client did; its status after each answer."""
    async with Client(base_url=base_url, api_key=KEY) as client:
        batches = [await client.create(recording.requests["requests"])]
        if cancel:
            batches += [await client.retrieve(recording.batch_id), await client.cancel(recording.batch_id)]
    assert {batch.id for batch in batches} == {recording.batch_id}
    return [batch.processing_status for batch in batches]


def replay(recording: Recording, folder: Path) -> None:
    """Do what the recorded client did, and see that it comes to the same."""
    routes = recording.routes()
    cancel = any(route.endswith("/cancel") for route in routes)
    with replaying(recording) as server:
        statuses = asyncio.run(create(recording, server.url, cancel=cancel))
        assert statuses == (["in_progress", "in_progress", "canceling"] if cancel else ["in_progress"])
        assert json.loads(server.bodies[0]) == recording.requests
        if recording.results is not None:
            words = ("run", recording.batch_id, "--poll-interval", "0.01", "--json", "-q")
            done = streamer(*words, cwd=folder, base_url=server.url)
            assert (done.returncode, done.stderr) == (0, "")
            report = json.loads(done.stdout.splitlines()[0])
            assert report["records"] == {name: n for name, n in recording.counts.items() if n}
            file = folder / "results" / f"{recording.batch_id}.jsonl"
            assert file.read_bytes() == recording.results + b"\n"
        assert server.heard == routes


@pytest.mark.parametrize("path", [*OURS, *OTHERS], ids=lambda path: path.stem)
def test_recorded_traffic_comes_out_as_it_was_recorded(path: Path, tmp_path: Path) -> None:
    replay(Recording(path), tmp_path)


def test_errors_of_single_requests_are_told_by_type(tmp_path: Path) -> None:
    recording = Recording(Path(__file__).parent / "fixtures" / "errored.json")
    with replaying(recording) as server:
        words = ("run", recording.batch_id, "--poll-interval", "0.01", "--json", "--only", "errored")
        done = streamer(*words, "--to", "{batch_id}", cwd=tmp_path, base_url=server.url)
    assert json.loads(done.stdout.splitlines()[0])["errors"] == {"invalid_request_error": 2, "overloaded_error": 1}
    lines = (tmp_path / recording.batch_id).read_text().splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == ["no-credit", "bad", "busy"]


async def test_the_recorded_hint_to_wait_ten_seconds_is_honoured() -> None:
    recording = Recording(Path(__file__).parent / "fixtures" / "succeeded.json")
    clock = FakeClock(datetime.now(UTC))
    with replaying(recording, hint="10") as server:
        async with Client(base_url=server.url, api_key=KEY) as client:
            outcomes = [
                one async for one in watch(client, [recording.batch_id], WatchOptions(poll_interval=1), clock=clock)
            ]
    assert [type(outcome) for outcome in outcomes] == [Ended]
    pauses = [seconds for seconds in clock.sleeps if seconds]
    assert len(pauses) == 3
    assert min(pauses) >= 10


def test_our_recordings_have_the_shapes_that_were_seen_on_the_wire() -> None:
    recordings = [Recording(path) for path in OURS]
    bodies = [recording.results for recording in recordings if recording.results is not None]
    assert not any(body.endswith(b"\n") for body in bodies)
    assert max(len(line) for body in bodies for line in body.splitlines()) > 30_000
    headers = [exchange["response"]["headers"] for recording in recordings for exchange in recording.exchanges]
    assert {"retry-after", "content-encoding", "content-disposition"} <= set().union(*headers)
    assert all(("content-type" in one) != ("content-disposition" in one) for one in headers)
