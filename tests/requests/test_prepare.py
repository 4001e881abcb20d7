"""The spool appears whole or not at all, is this user's alone, and memory does not grow with what is read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from streamer.errors import ConfigurationError, StorageError, StreamerError
from streamer.progress import Progress, Work
from streamer.requests.options import PrepareOptions
from streamer.requests.prepare import prepare
from streamer.requests.problems import InvalidRequestsError, Problem
from streamer.requests.spool import NewSpool
from tests.requests.samples import PARAMS, jsonl, lines_of, params, prepared, request

USER = {"role": "user", "content": "x" * 400}


def written(directory: Path, *requests: Any) -> Path:
    file = directory / "given.jsonl"
    file.write_bytes(jsonl(*requests))
    return file


def names_in(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


def ignore(problem: Problem) -> None:
    """Problems are told elsewhere."""


def test_what_is_written_is_for_this_user_alone(tmp_path: Path) -> None:
    template = tmp_path / "params.json"
    template.write_text(json.dumps(PARAMS))
    spool = prepared(tmp_path, b"a\n1\n", template=template)
    for file in (spool.path, spool.path.with_name("fields.jsonl")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.path.parent.stat().st_mode) == 0o700


def test_how_far_it_has_come_can_be_seen(tmp_path: Path) -> None:
    progress = Progress(Work.CHECKING)
    seen = []
    filler = {"role": "user", "content": "x" * 2_000_000}  # more than is read ahead
    file = written(tmp_path, request("a"), 1, request("b", messages=[filler]), 1, request("c", messages=[filler]))
    with pytest.raises(InvalidRequestsError):
        prepare(
            [file],
            tmp_path / "project" / "requests.jsonl",
            PrepareOptions(on_problem=lambda problem: seen.append((progress.requests, progress.done / progress.total))),
            progress=progress,
        )
    (first, early), (second, later) = seen
    assert (first, second, progress.requests) == (2, 4, 5)
    assert 0 < early < later < 1
    assert progress.done == progress.total == file.stat().st_size


def test_what_has_no_size_has_no_total(tmp_path: Path) -> None:
    progress = Progress(Work.CHECKING)
    prepared(tmp_path, written(tmp_path, request("a")), jsonl(request("b")), progress=progress)
    assert (progress.requests, progress.total) == (2, 0)


def test_a_submission_with_faults_leaves_the_earlier_one_as_it_was(tmp_path: Path) -> None:
    spool = prepared(tmp_path, jsonl(request("a")))
    with pytest.raises(InvalidRequestsError):
        prepare([written(tmp_path, request("b"), 1)], spool.path, PrepareOptions(on_problem=ignore))
    assert [one["custom_id"] for one in lines_of(spool)] == ["a"]
    assert names_in(spool.path.parent) == ["requests.jsonl"]


class Interrupted(BaseException):
    """As KeyboardInterrupt, which pytest takes for its own."""


def test_nothing_is_left_when_it_is_interrupted(tmp_path: Path) -> None:
    def interrupt(problem: Problem) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        prepare(
            [written(tmp_path, request("a"), 1)],
            tmp_path / "deep" / "project" / "r.jsonl",
            PrepareOptions(on_problem=interrupt),
        )
    assert names_in(tmp_path) == ["given.jsonl"]


def test_nothing_is_left_when_it_is_stopped(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(StreamerError, match="nothing was sent"):
        prepare(
            [written(tmp_path, request("a"))],
            tmp_path / "project" / "r.jsonl",
            PrepareOptions(on_problem=ignore),
            stop=stop,
        )
    assert names_in(tmp_path) == ["given.jsonl"]


def test_nothing_is_left_when_the_disk_does_not_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"r\.jsonl\.part could not be written: No space left on device"):
        prepare([written(tmp_path, request("a"))], tmp_path / "project" / "r.jsonl", PrepareOptions(on_problem=ignore))
    assert names_in(tmp_path) == ["given.jsonl"]


def test_what_a_killed_run_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "requests.jsonl.part").write_bytes(b"half a li")
    spool = prepared(tmp_path, jsonl(request("a")))
    assert names_in(spool.path.parent) == ["requests.jsonl"]


def test_requests_that_are_not_accepted_do_not_replace_those_that_are_there(tmp_path: Path) -> None:
    spool = prepared(tmp_path, jsonl(request("a")))

    def refuse(new: NewSpool) -> None:
        assert new.digest != spool.digest
        assert [line.count(b'"custom_id":"b"') for line in new.read_back()] == [1]
        raise ConfigurationError("not these")

    with pytest.raises(ConfigurationError, match="not these"):
        prepare([written(tmp_path, request("b"))], spool.path, PrepareOptions(on_problem=ignore), accept=refuse)
    assert [one["custom_id"] for one in lines_of(spool)] == ["a"]
    assert names_in(spool.path.parent) == ["requests.jsonl"]


def test_the_spool_itself_is_no_request_file(tmp_path: Path) -> None:
    spool = prepared(tmp_path, jsonl(request("a")))
    with pytest.raises(ConfigurationError, match="the project's own copy of the requests"):
        prepare([spool.path], spool.path, PrepareOptions(on_problem=ignore))


@pytest.mark.parametrize("prefix", ["", "a b", "x" * 45, "é"])
def test_a_prefix_that_can_begin_no_id_is_refused(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot begin a custom_id"):
        prepare([written(tmp_path, PARAMS)], tmp_path / "r.jsonl", PrepareOptions(on_problem=ignore, id_prefix=prefix))


def test_no_file_at_all_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no request file"):
        prepare([], tmp_path / "r.jsonl", PrepareOptions(on_problem=ignore))


def test_the_estimate_counts_text_by_model_and_no_images(tmp_path: Path) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 4000}}
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é" * 20}}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    requests = [
        request("a", system="s" * 40, messages=[USER]),
        request("b", messages=[{"role": "user", "content": [image, document, {"type": "text", "text": "t" * 60}]}]),
        request("c", model="claude-other", tools=[call], messages=[{"role": "user", "content": [call]}], max_tokens=7),
    ]
    spool = prepared(tmp_path, jsonl(*requests))
    assert spool.estimate.requests == spool.requests == 3
    assert spool.estimate.bytes == spool.path.stat().st_size - 3
    assert spool.estimate.input_tokens == {"claude-haiku-5-5": (440 + 100) // 4, "claude-other": -(-2 * 57 // 4)}
    assert spool.estimate.output_tokens_most == {"claude-haiku-5-5": 128, "claude-other": 7}


def test_the_advice_comes_with_the_spool(tmp_path: Path) -> None:
    system = "The same for all. " * 500
    spool = prepared(tmp_path, jsonl(*(request(f"r{n}", system=system) for n in range(20))))
    assert [(told.kind, told.requests) for told in spool.advice] == [("unmarked", 20)]


MEASURE = """
import resource, sys
from pathlib import Path
from streamer.requests.prepare import prepare
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
small, large, directory = map(Path, sys.argv[1:])
prepare([small], directory / "a" / "r.jsonl")
before = peak()
spool = prepare([large], directory / "b" / "r.jsonl")
print(spool.requests, peak() - before)
"""


@pytest.mark.parametrize("form", ["lines", "array"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, form: str) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    for file, count in ((small, 6_000), (large, 60_000)):
        lines = (json.dumps({"custom_id": f"r-{n}", "params": params(messages=[USER])}) for n in range(count))
        file.write_text("\n".join(lines) if form == "lines" else f"[{','.join(lines)}]")
    assert large.stat().st_size > 30_000_000

    told = subprocess.run(
        [sys.executable, "-c", MEASURE, small, large, tmp_path], capture_output=True, text=True, check=True
    )
    for file in (large, *tmp_path.glob("?/r.jsonl")):
        file.unlink()  # whoever searches what tests leave behind has less to read
    requests, growth = told.stdout.split()
    assert int(requests) == 60_000
    assert float(growth) < 6, "MiB more for ten times the requests"


ONE_LINE = """
import resource, sys
from pathlib import Path
from streamer.requests.prepare import prepare
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
small, large, directory = map(Path, sys.argv[1:])
prepare([small], directory / "a" / "r.jsonl")
before = peak()
prepare([large], directory / "b" / "r.jsonl")
print(peak() - before)
"""


@pytest.mark.parametrize("text", ["x", "\\u00e9", "\U0001f600"])
def test_a_long_line_is_held_once(tmp_path: Path, text: str) -> None:
    small, large = written(tmp_path, request("a")), tmp_path / "large.jsonl"
    begin, end = json.dumps(request("b", messages=[{"role": "user", "content": "?"}])).split("?")
    large.write_text(f"{begin}{text * (40_000_000 // len(text.encode()))}{end}\n" * 2)
    large.write_text(large.read_text().replace('"b"', '"c"', 1))
    told = subprocess.run(
        [sys.executable, "-c", ONE_LINE, small, large, tmp_path], capture_output=True, text=True, check=True
    )
    for file in (large, *tmp_path.glob("?/r.jsonl")):
        file.unlink()
    assert float(told.stdout) < 1.4 * 40, "MiB for two lines of 40 MB, one after the other"
