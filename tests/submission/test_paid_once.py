"""One request is paid once, whatever happens to the project's directory, the list, the key, or the address."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.errors import ConfigurationError, SubmissionError
from streamer.submission.creating import create_batches
from streamer.submission.ledger import Ledger, Planned, State
from streamer.submission.options import CreateOptions
from streamer.submission.recovery import OnUnknown
from tests.submission.between import Between, standing
from tests.submission.local import LocalClock, LocalEmulator, local
from tests.submission.spools import lines, planned

IDS = ("a", "b", "c", "d", "e")  # three batches of two, two and one


def client_of(base_url: str, clock: LocalClock, key: str = "test-key") -> Client:
    return Client(api_key=key, base_url=base_url, clock=clock, options=ClientOptions(requests_per_minute=100_000))


async def created(
    client: Client, directory: Path, clock: LocalClock, *, on_unknown: OnUnknown = "stop", most: int = 9
) -> list[Planned]:
    """What one run creates, as a process that begins with the ledger on the disk; at most so many batches."""
    ledger = Ledger(directory)
    made = []
    try:
        creating = create_batches(client, ledger, CreateOptions(on_unknown=on_unknown), clock=clock)
        async for one in creating:
            made.append(one)
            if len(made) == most:
                break
        await creating.aclose()
    finally:
        ledger.close()
    return made


def project(directory: Path, clock: LocalClock, *custom_ids: str) -> Path:
    """A project that begins now, with batches of two requests planned."""
    directory.mkdir(exist_ok=True)
    planned(directory, *(custom_ids or IDS), at=clock.now().timestamp()).close()
    return directory


def count(emulator: LocalEmulator) -> tuple[int, int]:
    stats = emulator.stats()
    return stats["batches_created"], stats["bodies_repeated"]


@asynccontextmanager
async def behind(between: Between, **switches: object) -> AsyncIterator[tuple[LocalEmulator, Client, LocalClock]]:
    """An emulator with something before it, and a client that speaks to that."""
    async with (
        local(**switches) as (emulator, _, clock),
        standing(between, emulator.base_url, clock),
        client_of(between.base_url, clock) as client,
    ):
        yield emulator, client, clock


@pytest.mark.parametrize("lag", [0, 75, 150])
@pytest.mark.parametrize("status", [504, 502])
async def test_a_create_that_was_accepted_behind_a_gateways_error_is_found_however_late_it_is_listed(
    tmp_path: Path, status: int, lag: int
) -> None:
    async with behind(Between(lag=lag, creates=[(status, True)])) as (emulator, client, clock):
        await created(client, project(tmp_path, clock), clock)
        assert count(emulator) == (3, 0)


@pytest.mark.parametrize("status", [301, 303, 307, 308, 400, 403, 405, 408, 409, 413, 429, 451, 499, 501, 503, 529])
async def test_whatever_something_in_between_answers_is_no_refusal_of_the_api(tmp_path: Path, status: int) -> None:
    async with behind(Between(creates=[(status, True)])) as (emulator, client, clock):
        made = await created(client, project(tmp_path, clock), clock)
        assert count(emulator) == (3, 0)
        assert len({one.batch_id for one in made}) == 3


async def test_a_ledger_copied_alone_after_a_kill_knows_every_create(tmp_path: Path) -> None:
    async with local(duration=3600) as (emulator, client, clock):
        directory = project(tmp_path / "project", clock)
        ledger = Ledger(directory)
        made = [one async for one in create_batches(client, ledger, clock=clock)]
        copied = tmp_path / "copy"  # while it is open, as it stands when its process is killed
        copied.mkdir()
        for name in ("ledger.sqlite", "requests.jsonl"):
            shutil.copy(directory / name, copied / name)
        ledger.close()
        again = await created(client, copied, clock)
        assert [one.batch_id for one in again] == [one.batch_id for one in made]
        assert count(emulator) == (3, 0)


async def test_what_the_first_create_made_is_no_other_batch_for_the_second(tmp_path: Path) -> None:
    """The first create is accepted and listed long after it was given up; the second never arrives."""
    gone = [(504, True), (504, False), (504, False)]
    async with behind(Between(lag=400, creates=gone), duration=3600) as (emulator, client, clock):
        [one] = await created(client, project(tmp_path, clock, "a", "b"), clock)
        assert count(emulator) == (1, 0)
        assert (await client.retrieve(one.batch_id or "")).requests == 2


@pytest.mark.parametrize("lag", [65, 80, 110, 200])
async def test_what_is_listed_while_the_queue_is_full_is_no_batch_to_be_made_again(tmp_path: Path, lag: int) -> None:
    """The first create is accepted and not found; the second is refused for a while, and the first is listed then."""
    full = [(504, True), *[(429, False)] * 15]
    async with behind(Between(lag=lag, creates=full, by_api=[429]), duration=3600) as (emulator, client, clock):
        await created(client, project(tmp_path, clock, "a", "b"), clock)
        assert count(emulator) == (1, 0)


async def test_a_refusal_of_the_second_create_does_not_forget_the_first(tmp_path: Path) -> None:
    async with local() as (_, _, clock):
        ledger = Ledger(project(tmp_path, clock, "a", "b"))
        ledger.intend(1, 100.0, 90.0, before=["msgbatch_before"])
        ledger.doubt(1)
        ledger.intend(1, 300.0, 290.0, before=["msgbatch_first"])
        ledger.withdraw(1)
        [one] = ledger.batches()
        assert (one.state, one.window_at, one.since, one.before) == (State.INTENDED, 100.0, 90.0, ("msgbatch_before",))
        ledger.close()


async def test_a_project_restored_from_an_older_copy_pays_for_nothing_again_unasked(tmp_path: Path) -> None:
    async with local(duration=3600) as (emulator, client, clock):
        directory = project(tmp_path / "project", clock)
        await created(client, directory, clock, most=1)
        shutil.copytree(directory, tmp_path / "copy")
        made = await created(client, directory, clock)
        shutil.rmtree(directory)
        (tmp_path / "copy").rename(directory)
        with pytest.raises(SubmissionError, match=rf"{made[1].batch_id}.*restored from an older copy.*--on-unknown ID"):
            await created(client, directory, clock)
        assert count(emulator) == (3, 0)
        with pytest.raises(SubmissionError, match=str(made[2].batch_id)):  # one after the other
            await created(client, directory, clock, on_unknown=made[1].batch_id or "")
        again = await created(client, directory, clock, on_unknown=made[2].batch_id or "")
        assert [one.batch_id for one in again] == [one.batch_id for one in made]
        assert count(emulator) == (3, 0)


async def test_an_older_copy_of_which_nothing_was_created_is_looked_after_too(tmp_path: Path) -> None:
    async with local(duration=3600) as (emulator, client, clock):
        directory = project(tmp_path / "project", clock, "a", "b")
        shutil.copytree(directory, tmp_path / "copy")
        await created(client, directory, clock)
        with pytest.raises(SubmissionError, match="restored from an older copy"):
            await created(client, tmp_path / "copy", clock)
        assert count(emulator) == (1, 0)


async def test_somebody_elses_batch_is_asked_about_once(tmp_path: Path) -> None:
    async with local(duration=3600) as (emulator, client, clock):
        directory = project(tmp_path, clock)
        await created(client, directory, clock, most=1)
        other = (await client.create([line.rstrip() for line in lines("x", "y")])).id
        asked = []

        async def none_of_them(unsettled: object) -> str:
            asked.append(str(unsettled))
            return "resend"

        await created(client, directory, clock, on_unknown=none_of_them)
        assert len(asked) == 1
        assert other in asked[0]
        assert emulator.stats()["batches_created"] == 4


async def test_an_ended_batch_of_other_requests_is_nobodys_question(tmp_path: Path) -> None:
    async with local(duration=1) as (emulator, client, clock):
        directory = project(tmp_path, clock)
        await created(client, directory, clock, most=1)
        await client.create([line.rstrip() for line in lines("x", "y")])
        await clock.sleep(60)
        await created(client, directory, clock)
        assert emulator.stats()["batches_created"] == 4


async def test_what_was_there_before_the_first_create_is_nobodys_question(tmp_path: Path) -> None:
    async with local(duration=3600) as (emulator, client, clock):
        for _ in range(3):
            await client.create([line.rstrip() for line in lines("x", "y")])
        ledger = planned(tmp_path, *IDS, at=clock.now().timestamp())
        await anext(creating := create_batches(client, ledger, clock=clock))
        await creating.aclose()
        ledger.close()
        assert len(await created(client, tmp_path, clock)) == 3
        assert emulator.stats()["batches_created"] == 3 + 3


async def test_a_fresh_project_asks_nothing_of_what_the_workspace_holds(tmp_path: Path) -> None:
    async with local(duration=3600) as (emulator, client, clock):
        await client.create([line.rstrip() for line in lines("x", "y")])
        ledger = planned(tmp_path, *IDS, at=clock.now().timestamp())
        made = [one async for one in create_batches(client, ledger, clock=clock)]
        ledger.close()
        assert len(made) == 3
        assert emulator.stats()["batches_created"] == 4


@pytest.mark.parametrize("open_intent", [True, False])
async def test_a_key_of_another_workspace_is_refused(tmp_path: Path, open_intent: bool) -> None:
    async with local(duration=3600, workspace_per_key=True) as (emulator, client, clock):
        directory = project(tmp_path, clock)
        await created(client, directory, clock, most=1)
        if open_intent:
            ledger = Ledger(directory)
            ledger.intend(2, clock.now().timestamp(), 0.0)
            ledger.close()
            await client.create([line.rstrip() for line in lines("c", "d")])
        before = count(emulator)
        async with client_of(emulator.base_url, clock, "other-key") as other:
            with pytest.raises(ConfigurationError, match="seems to be of another workspace"):
                await created(other, directory, clock)
        assert count(emulator) == before
        assert len(await created(client, directory, clock)) == 3
        assert count(emulator) == (3, 0)


async def test_in_a_workspace_that_was_empty_a_create_without_an_answer_is_not_looked_for_with_another_key(
    tmp_path: Path,
) -> None:
    async with behind(Between(lag=1e9, creates=[(504, True)]), workspace_per_key=True) as (emulator, client, clock):
        directory = project(tmp_path, clock, "a", "b")
        creating = create_batches(client, ledger := Ledger(directory), clock=clock)

        class Killed(BaseException):
            pass

        async def killed(seconds: float) -> None:
            raise Killed

        clock.sleep = killed  # type: ignore[method-assign]
        with pytest.raises(Killed):
            await anext(creating)
        del clock.sleep
        ledger.close()
        assert count(emulator) == (1, 0)
        async with client_of(client.address, clock, "other-key") as other:
            with pytest.raises(ConfigurationError, match="seems to be of another workspace: no batch is known"):
                await created(other, directory, clock)
        assert count(emulator) == (1, 0)


async def test_a_new_key_of_the_same_workspace_goes_on(tmp_path: Path) -> None:
    async with local(duration=3600) as (emulator, client, clock):
        directory = project(tmp_path, clock)
        await created(client, directory, clock, most=1)
        async with client_of(emulator.base_url, clock, "rotated-key") as rotated:
            assert len(await created(rotated, directory, clock)) == 3
        assert count(emulator) == (3, 0)


async def test_another_address_is_refused(tmp_path: Path) -> None:
    async with (
        local(duration=3600) as (_, client, clock),
        local(duration=3600) as (elsewhere, other, _),
    ):
        directory = project(tmp_path, clock)
        await created(client, directory, clock, most=1)
        with pytest.raises(ConfigurationError, match=rf"created at {client.address}, and this is {other.address}"):
            await created(other, directory, clock)
        assert count(elsewhere) == (0, 0)


async def test_no_byte_of_the_key_is_in_the_ledger(tmp_path: Path) -> None:
    async with local() as (emulator, _, clock), client_of(emulator.base_url, clock, "canary-key-73219") as client:
        directory = project(tmp_path, clock)
        await created(client, directory, clock)
    for file in directory.iterdir():
        assert b"canary" not in file.read_bytes()
        assert b"73219" not in file.read_bytes()


def test_a_ledger_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    path = tmp_path / "project" / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        PRAGMA application_id = 1400130663; PRAGMA user_version = 1;
        CREATE TABLE spool (attempt INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL);
        CREATE TABLE batch (
            number INTEGER PRIMARY KEY, attempt INTEGER NOT NULL,
            start_byte INTEGER NOT NULL, end_byte INTEGER NOT NULL, requests INTEGER NOT NULL,
            intended_at REAL, since REAL, before TEXT NOT NULL DEFAULT '', batch_id TEXT UNIQUE
        );
        CREATE INDEX batch_attempt ON batch (attempt, number);
        INSERT INTO spool VALUES (1, 'requests.jsonl', 'abc'), (2, 'retry-2.jsonl', 'def');
        INSERT INTO batch VALUES (1, 1, 0, 10, 1, 1000.5, 900.0, 'msgbatch_x', 'msgbatch_1'),
            (2, 1, 10, 20, 1, 1001.5, 901.0, '', NULL), (3, 2, 0, 10, 1, NULL, NULL, '', NULL);
        """
    )
    connection.close()
    ledger = Ledger(tmp_path / "project")
    assert [(one.state, one.retry, one.window_at) for one in ledger.batches()] == [
        (State.CREATED, False, 1000.5),
        (State.INTENDED, False, 1001.5),
        (State.PLANNED, True, None),
    ]
    assert ledger.batches()[0].before == ("msgbatch_x",)
    assert ledger.resumed_since() == 1000.5
    assert ledger.facts("asked") == ["abc"]
    ledger.close()
    again = Ledger(tmp_path / "project")
    assert len(again.batches()) == 3
    again.close()
