"""`streamer submit`, `list`, `show`, `cancel` and `delete`: the life of a batch from the command line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamer.api.types import Batch, RequestCounts
from streamer.cli.show.batches import batch_table
from streamer.emulator.running import RunningEmulator, running
from tests.cli.command import answered, asked, listed, streamer

REQUEST = {"model": "claude-opus-5-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def workspace() -> Iterator[RunningEmulator]:
    """Two batches that have ended, and new ones that last for hours."""
    with running(fill_ended=2, records=5, duration=36_000, cancel_duration=0.01) as emulator:
        yield emulator


def test_a_batch_is_submitted_listed_shown_canceled_and_deleted(tmp_path: Path, workspace: RunningEmulator) -> None:
    def command(*words: str) -> str:
        done = streamer(*words, cwd=tmp_path, base_url=workspace.base_url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # A BOM, blank lines and Windows line ends are no fault.
    lines = [json.dumps({"custom_id": f"q-{n}", "params": REQUEST}) for n in range(3)]
    (tmp_path / "my.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode())
    batch_id = command("submit", "my.jsonl").strip()
    assert listed(workspace)[0] == batch_id
    header, newest, older = command("list", "--limit", "2").splitlines()
    assert header.split()[:2] == ["BATCH", "STATUS"]
    assert newest.split()[:3] == [batch_id, "in_progress", "3"]
    assert older.split()[1:7] == ["ended", "5", "5", "succeeded", *older.split()[5:7]]
    assert json.loads(command("show", batch_id, "--json"))["request_counts"]["processing"] == 3
    assert command("cancel", "--yes", batch_id) == f"{batch_id} canceling, 3 requests (3 processing)\n"
    assert "3 requests (3 canceled)" in command("show", batch_id)
    assert command("delete", "--yes", batch_id) == f"{batch_id} deleted\n"
    assert batch_id not in listed(workspace)


def test_list_as_json_is_the_api_s_objects(tmp_path: Path, workspace: RunningEmulator) -> None:
    done = streamer("list", "--json", cwd=tmp_path, base_url=workspace.base_url)
    batches = [json.loads(line) for line in done.stdout.splitlines()]
    assert [batch["id"] for batch in batches] == listed(workspace)
    assert {"id", "processing_status", "request_counts", "created_at", "expires_at", "results_url"} <= set(batches[0])


YES_OR_NO = "[y/N]"


@pytest.mark.parametrize(("answer", "left"), [("n", 2), ("y", 1)])
def test_delete_names_the_batch_and_asks_on_a_terminal(
    tmp_path: Path, workspace: RunningEmulator, answer: str, left: int
) -> None:
    batch_id = listed(workspace)[-1]
    code, shown = answered(
        "delete", batch_id, question=YES_OR_NO, answer=answer, cwd=tmp_path, base_url=workspace.base_url
    )
    assert f"{batch_id} ended, 5 requests (5 succeeded)" in shown
    assert "Delete 1 batch with 5 requests? The results are gone from the API then, for good. [y/N]" in shown
    assert code == (0 if answer == "y" else 1)
    assert len([batch for batch in listed(workspace) if status(workspace, batch) == "ended"]) == left


def status(emulator: RunningEmulator, batch_id: str) -> str:
    return str(json.loads(asked(emulator, f"/{batch_id}"))["processing_status"])


def test_cancel_asks_on_a_terminal_and_says_how_much_it_is_about(tmp_path: Path) -> None:
    with running(fill=22, records=1000, duration=36_000, cancel_duration=3600) as emulator:
        ids = listed(emulator)
        code, shown = answered("cancel", *ids, question=YES_OR_NO, answer="", cwd=tmp_path, base_url=emulator.base_url)
        assert code == 1
        assert "Cancel 22 batches with 22,000 requests? What is done by then is kept. [y/N]" in shown
        assert f"{ids[19]} in_progress, 1,000 requests (1,000 processing)" in shown
        assert ids[20] not in shown
        assert "and 2 more" in shown
        assert {status(emulator, batch_id) for batch_id in ids} == {"in_progress"}
        code, _ = answered("cancel", *ids[:2], question=YES_OR_NO, answer="Y", cwd=tmp_path, base_url=emulator.base_url)
        assert code == 0
        assert [status(emulator, batch_id) for batch_id in ids[:3]] == ["canceling", "canceling", "in_progress"]


def test_what_has_ended_is_not_canceled_and_stops_no_other(tmp_path: Path) -> None:
    with running(fill=1, fill_ended=1, records=5, duration=36_000) as emulator:
        waiting, ended = listed(emulator)
        done = streamer("cancel", "--yes", ended, waiting, cwd=tmp_path, base_url=emulator.base_url)
        assert done.returncode == 1
        assert done.stdout == f"{waiting} canceling, 5 requests (5 processing)\n"
        assert f"{ended} ended, 5 requests (5 succeeded): it has ended, so there is nothing to cancel" in done.stderr


@pytest.fixture(scope="module")
def aging() -> Iterator[RunningEmulator]:
    """Ended batches created 32, 27, 22, 17, 12 and 7 days ago, and two in progress; results are kept 29 days."""
    with running(fill_ended=6, fill_days=30, fill=2, records=5, duration=36_000) as emulator:
        yield emulator


def ids_of(emulator: RunningEmulator, cwd: Path, *words: str) -> list[str]:
    done = streamer("list", "--json", *words, cwd=cwd, base_url=emulator.base_url)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


def test_list_shows_what_is_asked_for(tmp_path: Path, aging: RunningEmulator) -> None:
    everything = listed(aging)
    by_age = everything[::-1]  # the results of the oldest are gone
    assert ids_of(aging, tmp_path, "--status", "in_progress") == everything[:2]
    assert ids_of(aging, tmp_path, "--status", "ended", "--limit", "3") == everything[2:5]
    assert ids_of(aging, tmp_path, "--status", "canceling") == []
    assert ids_of(aging, tmp_path, "--expiring") == by_age[1:2]
    assert ids_of(aging, tmp_path, "--expiring", "8") == by_age[1:3]
    assert ids_of(aging, tmp_path, "--expiring", "1e9") == by_age[1:6]
    assert ids_of(aging, tmp_path, "--expiring", "28", "--limit", "1") == by_age[1:2]
    assert ids_of(aging, tmp_path, "--limit", "1") == everything[:1]


def test_with_a_filter_all_are_listed_unless_told_otherwise(tmp_path: Path) -> None:
    with running(fill=25, records=5, duration=36_000) as emulator:
        assert len(ids_of(emulator, tmp_path)) == 20
        assert ids_of(emulator, tmp_path, "--status", "in_progress") == listed(emulator)


def test_the_table_says_when_results_go_away(tmp_path: Path, aging: RunningEmulator) -> None:
    header, waiting, *_, oldest_kept, archived = streamer(
        "list", cwd=tmp_path, base_url=aging.base_url
    ).stdout.splitlines()
    assert header.endswith("RESULTS UNTIL")
    assert waiting.endswith("  -")
    created = datetime.fromisoformat(json.loads(asked(aging, f"/{listed(aging)[-2]}"))["created_at"])
    assert oldest_kept.endswith(f"  {created + timedelta(days=29):%Y-%m-%d %H:%M}")
    assert archived.endswith("  removed")


def test_all_that_is_about_to_expire_is_downloaded_by_one_command(tmp_path: Path, aging: RunningEmulator) -> None:
    words = ("run", "--ids-from", "-")
    expiring = streamer("list", "--expiring", "8", "--json", cwd=tmp_path, base_url=aging.base_url).stdout
    done = streamer(*words, cwd=tmp_path, base_url=aging.base_url, stdin=expiring)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.stem for path in (tmp_path / "results").iterdir()} == set(listed(aging)[-3:-1])


def test_one_batch_that_cannot_be_deleted_stops_no_other(tmp_path: Path, workspace: RunningEmulator) -> None:
    request = json.dumps({"custom_id": "a", "params": REQUEST})
    (tmp_path / "requests.jsonl").write_text(request)
    running_id = streamer("submit", "requests.jsonl", cwd=tmp_path, base_url=workspace.base_url).stdout.strip()
    ended = listed(workspace)[-1]
    done = streamer("delete", "--yes", running_id, ended, cwd=tmp_path, base_url=workspace.base_url)
    assert done.returncode == 1
    assert done.stdout == f"{ended} deleted\n"
    assert f"{running_id} in_progress" in done.stderr
    assert "`streamer cancel` it first" in done.stderr


@pytest.mark.parametrize("columns", [60, 80, 100, 118, 200])
def test_the_table_fits_the_terminal(columns: int) -> None:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    counts = RequestCounts(succeeded=98_000, errored=1_200, expired=800)
    batches = [
        Batch(id=f"msgbatch_{n:024}", processing_status=status, request_counts=counts, created_at=created)
        for n, status in enumerate(("ended", "in_progress"))
    ]
    header, *rows = batch_table(batches, columns)
    assert max(map(len, (header, *rows))) <= columns
    assert all(row.startswith(f"msgbatch_{n:024}  ") for n, row in enumerate(rows))
    assert ("RESULTS UNTIL" in header) is (columns > 118)
    assert "98,000 succ" in rows[0] or columns < 80
    assert batch_table(batches)[0] == batch_table(batches, 1000)[0]


def test_a_batch_that_is_not_there_is_said_at_once(tmp_path: Path, workspace: RunningEmulator) -> None:
    begun = time.monotonic()
    done = streamer("show", "msgbatch_nosuch", cwd=tmp_path, base_url=workspace.base_url)
    assert time.monotonic() - begun < 10  # not the 15 s that a program gives a batch which was just created
    assert done.returncode == 1
    assert "404 not_found_error" in done.stderr
    assert "one that was created a moment ago may be known in a minute" in done.stderr
