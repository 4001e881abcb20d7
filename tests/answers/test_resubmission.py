from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from streamer.answers.index import Answer
from streamer.answers.resubmission import Resubmission, write_retry
from streamer.requests.slices import Slice
from streamer.requests.spool import read_spool
from tests.answers.made import indexed, record, request, requests, results

IDS = ["a", "b", "c", "d", "e", "f"]
RECORDS = [
    record("f", "expired"),
    record("e", "canceled"),
    record("d", "overloaded_error"),
    record("c", "invalid_request_error", "prompt is too long"),
    record("a"),
]


def test_what_can_be_sent_again_is_as_it_was_and_in_its_order(tmp_path: Path) -> None:
    left: list[tuple[str, str]] = []

    def leave(custom_id: str, answer: Answer | None) -> None:
        left.append((custom_id, answer.word if answer else ""))

    path = results(tmp_path / "results.jsonl", *RECORDS)
    with indexed(tmp_path, (path, 1)) as index:
        told = write_retry(requests(IDS), index, tmp_path / "retry.jsonl", leave=leave)
    assert (tmp_path / "retry.jsonl").read_bytes() == b"".join(
        request(custom_id, f"about {custom_id}") + b"\n" for custom_id in ("d", "f")
    )
    spool = (tmp_path / "retry.jsonl").read_bytes()
    assert told == Resubmission(
        requests=6,
        succeeded=1,
        again={"overloaded_error": 1, "expired": 1},
        left={"missing": 1, "invalid_request_error": 1, "canceled": 1},
        slices=[Slice(0, len(spool), 2)],
        digest=sha256(spool).hexdigest(),
    )
    assert left == [("b", ""), ("c", "invalid_request_error"), ("e", "canceled")]


def test_more_is_sent_again_where_somebody_wants_it(tmp_path: Path) -> None:
    path = results(tmp_path / "results.jsonl", *RECORDS)
    with indexed(tmp_path, (path, 1)) as index:
        told = write_retry(requests(IDS), index, tmp_path / "retry.jsonl", also={"canceled", "missing"})
    assert told.again == {"missing": 1, "overloaded_error": 1, "canceled": 1, "expired": 1}
    assert told.left == {"invalid_request_error": 1}


def test_what_is_sent_again_is_split_like_everything_that_is_sent(tmp_path: Path) -> None:
    ids = [f"q-{n}" for n in range(7)]
    path = results(tmp_path / "results.jsonl", *[record(custom_id, "expired") for custom_id in ids])
    with indexed(tmp_path, (path, 1)) as index:
        told = write_retry(requests(ids), index, tmp_path / "retry.jsonl", max_requests=3)
    assert [one.requests for one in told.slices] == [3, 3, 1]
    again = [custom_id for one in told.slices for custom_id, _ in read_spool(tmp_path / "retry.jsonl", one)]
    assert again == ids


def test_with_nothing_to_send_again_there_is_no_file(tmp_path: Path) -> None:
    path = results(tmp_path / "results.jsonl", record("a"))
    with indexed(tmp_path, (path, 1)) as index:
        told = write_retry(requests(["a"]), index, tmp_path / "retry.jsonl")
    assert (told.requests, told.succeeded, told.again, told.slices) == (1, 1, {}, [])
    assert os.listdir(tmp_path) == ["results.jsonl"]  # noqa: PTH208
