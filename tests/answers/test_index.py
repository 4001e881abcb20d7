from __future__ import annotations

import errno
import os
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.answers import index as module
from streamer.answers.index import Index
from streamer.answers.recordfiles import RecordFiles
from streamer.errors import ConfigurationError, StorageError
from streamer.progress import Progress, Work
from tests.answers.made import indexed, record, results


def test_each_answer_is_found_with_its_bytes(tmp_path: Path) -> None:
    one = results(tmp_path / "1.jsonl", record("a", "succeeded", "first"), record("b", "expired"))
    two = results(tmp_path / "2.jsonl", record("c", "api_error", "oh"))
    with indexed(tmp_path, (one, 1), (two, 1)) as index, RecordFiles() as records:
        found = {name: index.get(name) for name in "abcd"}
        assert {name: answer and answer.word for name, answer in found.items()} == {
            "a": "succeeded",
            "b": "expired",
            "c": "api_error",
            "d": None,
        }
        assert [records.record(answer) for answer in found.values() if answer is not None] == [
            record("a", "succeeded", "first"),
            record("b", "expired"),
            record("c", "api_error", "oh"),
        ]
        assert len(index) == 3


def test_how_much_was_read_can_be_seen_and_is_all_of_it_in_the_end(tmp_path: Path) -> None:
    one = results(tmp_path / "1.jsonl", *[record(f"a-{n}", text="x" * 2000) for n in range(500)])
    two = results(tmp_path / "2.jsonl", record("b", text="x" * 2_000_000))
    progress = Progress(Work.READING)
    seen = []
    with Index(tmp_path) as index:
        for path in (one, two):
            index.add(path, progress=progress, check=lambda: seen.append(progress.done))
    assert len(set(seen)) > 3
    assert seen == sorted(seen)
    assert progress.done == one.stat().st_size + two.stat().st_size


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_later_attempt_stands_but_what_succeeded_stands_first_in_whatever_order_they_are_read(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    files = [
        (results(tmp_path / "1.jsonl", record("a", "expired"), record("b"), record("c", "api_error")), 1),
        (results(tmp_path / "2.jsonl", record("a"), record("b", "expired"), record("c", "expired")), 2),
        (results(tmp_path / "3.jsonl", record("a", "api_error"), record("c", "overloaded_error")), 3),
    ]
    with indexed(tmp_path, *[files[place] for place in order]) as index:
        found = {name: index.get(name) for name in "abc"}
    assert {name: answer and (answer.path.name, answer.word) for name, answer in found.items()} == {
        "a": ("2.jsonl", "succeeded"),
        "b": ("1.jsonl", "succeeded"),
        "c": ("3.jsonl", "overloaded_error"),
    }


def test_two_answers_of_one_attempt_to_the_same_request_are_refused_by_name(tmp_path: Path) -> None:
    one = results(tmp_path / "1.jsonl", record("x"), record("a"))
    two = results(tmp_path / "2.jsonl", record("a"))
    with pytest.raises(ConfigurationError, match=r"1\.jsonl and .*2\.jsonl both answer the request 'a'"):
        indexed(tmp_path, (one, 1), (two, 1))


def test_a_record_that_came_twice_in_one_file_is_no_such_thing(tmp_path: Path) -> None:
    path = results(tmp_path / "1.jsonl", record("a", "succeeded", "1"), record("a", "succeeded", "2"))
    with indexed(tmp_path, (path, 1)) as index:
        answer = index.get("a")
        assert answer is not None
        assert answer.offset == 0


def test_of_two_failures_of_one_attempt_the_one_named_last_stands(tmp_path: Path) -> None:
    one = results(tmp_path / "1.jsonl", record("a", "expired"))
    two = results(tmp_path / "2.jsonl", record("a", "api_error"))
    with indexed(tmp_path, (one, 1), (two, 1)) as index:
        answer = index.get("a")
    assert answer is not None
    assert answer.word == "api_error"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    attempts=st.lists(
        st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["succeeded", "expired", "api_error"])),
        min_size=1,
        max_size=5,
    ),
    gathered=st.integers(1, 10),
)
def test_however_few_are_sorted_at_once_the_same_answers_stand(
    attempts: list[dict[str, str]], gathered: int, tmp_path: Path
) -> None:
    stands: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch, Index(tmp_path) as index:
        patch.setattr(module, "GATHERED", gathered)
        for attempt, found in enumerate(attempts, start=1):
            lines = [record(custom_id, what) for custom_id, what in found.items()]
            index.add(results(tmp_path / f"{attempt}.jsonl", *lines), attempt=attempt)
            stands |= {
                custom_id: what
                for custom_id, what in found.items()
                if what == "succeeded" or stands.get(custom_id) != "succeeded"
            }
        index.settle()
        assert {name: answer.word for name in "abcdefgh" if (answer := index.get(name))} == stands


def test_all_tokens_are_counted_also_of_records_that_do_not_stand(tmp_path: Path) -> None:
    one = results(tmp_path / "1.jsonl", record("a"), record("b"))
    two = results(tmp_path / "2.jsonl", record("a"))
    with indexed(tmp_path, (one, 1), (two, 2)) as index:
        assert index.usage["claude-haiku-5-5"].requests == 3
        assert index.usage["claude-haiku-5-5"].output == 12


def test_its_file_has_no_name_so_nothing_can_be_left_behind(tmp_path: Path) -> None:
    path = results(tmp_path / "1.jsonl", record("a"))
    with indexed(tmp_path, (path, 1)):
        assert os.listdir(tmp_path) == ["1.jsonl"]  # noqa: PTH208


def test_a_stop_is_heard_while_a_file_is_read(tmp_path: Path) -> None:
    path = results(tmp_path / "1.jsonl", record("a"))

    def check() -> None:
        raise InterruptedError

    with Index(tmp_path) as index, pytest.raises(InterruptedError):
        index.add(path, check=check)


def test_a_disk_that_takes_nothing_is_told_with_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)
    path = results(tmp_path / "1.jsonl", record("a"))
    with pytest.raises(StorageError, match=f"cannot be kept in {tmp_path}: .*No space left"):
        indexed(tmp_path, (path, 1))


def test_a_file_of_results_that_was_cut_off_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = results(tmp_path / "1.jsonl", record("a"))
    with indexed(tmp_path, (path, 1)) as index, RecordFiles() as records:
        answer = index.get("a")
        assert answer is not None
        os.truncate(path, 10)
        with pytest.raises(StorageError, match="was cut off"):
            records.record(answer)


def test_more_files_than_are_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.answers.recordfiles.OPEN", 2)
    files = [(results(tmp_path / f"{n}.jsonl", record(f"a-{n}")), 1) for n in range(5)]
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with indexed(tmp_path, *files) as index, RecordFiles() as records:
        for n in [0, 1, 2, 3, 4, 0, 4]:
            answer = index.get(f"a-{n}")
            assert answer is not None
            assert records.record(answer) == record(f"a-{n}")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
