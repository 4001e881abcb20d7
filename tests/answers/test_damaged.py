"""Files with flipped bits and cut ends: whatever they hold, what reads them goes on or says what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streamer.answers.asked import Asked, asked_in_files, asked_in_spool
from streamer.answers.fields import Fields
from streamer.answers.index import Index
from streamer.answers.join import join
from streamer.answers.output import Output
from streamer.answers.resubmission import write_retry
from streamer.cli.tokenusage import usage_of_file
from streamer.errors import StreamerError
from tests.answers.made import record, request

IDS = ["a", "b-é", "c", "d", "e"]
RECORDS = [
    record("a", "succeeded", 'one ] }, { \\ "é\ud83d'),
    record("b-é", "expired"),
    record("c", "invalid_request_error", "Your credit balance is too low"),
    b'{"custom_id":"d","result":{"type":"succeeded","message":{"model":"m","content":[],"usage":null}},"n":[1e9,NaN]}',
    record("e", "overloaded_error", "é" * 40),
]
LINES = b"\n".join([*RECORDS, b""])
ARRAY = b"[\n  " + b",\n  ".join(RECORDS) + b"\n]\n"
REQUESTS = b"".join(request(custom_id) + b"\n" for custom_id in IDS)
COLUMNS = "".join(f'{{"title":"é {n}","n":{n}}}\n' for n in range(5)).encode()

damage = st.tuples(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 7)), max_size=3),  # bits that are flipped
    st.none() | st.integers(0, 10_000),  # where it is cut
)
Damage = tuple[list[tuple[int, int]], int | None]
thoroughly = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def damaged(data: bytes, how: Damage) -> bytes:
    flips, cut = how
    spoilt = bytearray(data)
    for place, bit in flips:
        spoilt[place % len(data)] ^= 1 << bit
    return bytes(spoilt if cut is None else spoilt[: cut % len(data)])


def held(call: Callable[[], object]) -> None:
    """Make a call that works or says what is wrong."""
    with suppress(StreamerError):
        call()


@thoroughly
@given(how=damage, data=st.sampled_from([LINES, ARRAY]))
def test_results_that_are_counted(tmp_path: Path, how: Damage, data: bytes) -> None:
    (tmp_path / "results").write_bytes(damaged(data, how))
    held(lambda: asyncio.run(usage_of_file(tmp_path / "results")))


@thoroughly
@given(how=damage, data=st.sampled_from([LINES, ARRAY]), growing=st.booleans())
def test_results_that_are_joined(tmp_path: Path, how: Damage, data: bytes, growing: bool) -> None:
    (tmp_path / "results").write_bytes(damaged(data, how))
    asked = [Asked(custom_id, request(custom_id)) for custom_id in IDS]

    def work() -> None:
        with Index(tmp_path) as index:
            index.add(tmp_path / "results", growing=growing)
            index.settle()
            (tmp_path / "answers").unlink(missing_ok=True)
            with Output(str(tmp_path / "answers")) as output:
                join(asked, index, output, fields=Fields(["params.model"], asked[0]))
            write_retry(asked, index, tmp_path / "again.jsonl")

    held(work)


@thoroughly
@given(how=damage, which=st.sampled_from(["spool", "columns"]))
@example(how=([(60, 7)], None), which="spool")
@example(how=([(13, 7)], None), which="spool")
@example(how=([], 0), which="columns")
@example(how=([], 40), which="columns")
@example(how=([(0, 0)], None), which="columns")
def test_a_spool_and_its_columns_that_are_joined(tmp_path: Path, how: Damage, which: str) -> None:
    (tmp_path / "results").write_bytes(LINES)
    (tmp_path / "spool").write_bytes(damaged(REQUESTS, how) if which == "spool" else REQUESTS)
    (tmp_path / "columns").write_bytes(damaged(COLUMNS, how) if which == "columns" else COLUMNS)

    def asked() -> list[Asked]:
        return list(asked_in_spool(tmp_path / "spool", tmp_path / "columns"))

    def work() -> None:
        with Index(tmp_path) as index:
            index.add(tmp_path / "results")
            index.settle()
            (tmp_path / "answers").unlink(missing_ok=True)
            fields = Fields(["title", "params.messages.0.content"], next(iter(asked()), None))
            with Output(str(tmp_path / "answers")) as output:
                join(asked(), index, output, fields=fields)

    held(work)


@thoroughly
@given(how=damage)
def test_request_files_that_are_joined(tmp_path: Path, how: Damage) -> None:
    (tmp_path / "results").write_bytes(LINES)
    (tmp_path / "requests.jsonl").write_bytes(damaged(REQUESTS, how))

    def work() -> None:
        with Index(tmp_path) as index:
            index.add(tmp_path / "results")
            index.settle()
            (tmp_path / "answers").unlink(missing_ok=True)
            asked = asked_in_files([tmp_path / "requests.jsonl"], scratch=tmp_path, on_problem=lambda problem: None)
            with Output(str(tmp_path / "answers")) as output:
                join(asked, index, output, fields=Fields(["params.messages.0.content"], None))

    held(work)


def test_a_custom_id_that_is_no_text_is_told_as_what_is_wrong_with_the_requests(tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_bytes(request("a") + b'\n{"custom_id":"\\ud800","params":{}}\n')
    told: list[object] = []
    with pytest.raises(StreamerError):
        list(asked_in_files([tmp_path / "requests.jsonl"], scratch=tmp_path, on_problem=told.append))
    assert "custom_id" in str(told[0])
