"""`-v`: each batch is told as it is created, has ended and is delivered; without it a pipe hears nothing."""

from __future__ import annotations

import json
from pathlib import Path

from streamer.emulator.running import running
from tests.cli.command import streamer

REQUEST = {
    "custom_id": "a",
    "params": {"model": "claude-opus-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]},
}


def test_verbose_tells_the_life_of_a_batch(tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_text(json.dumps(REQUEST))
    words = ("process", "requests.jsonl", "--to", "answers.jsonl", "--poll-interval", "0.1")
    with running(duration=0.01, retry_after=0) as emulator:
        done = streamer(*words, "-v", cwd=tmp_path, base_url=emulator.base_url)
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "requests.jsonl").write_text(json.dumps(REQUEST | {"custom_id": "b"}))
        silent = streamer(*words, cwd=tmp_path / "other", base_url=emulator.base_url)
    told = [line.split(maxsplit=2) for line in done.stderr.splitlines()]
    *told, summary = told
    assert [line[2] for line in told] == ["is created, batch 1 of 1", "has ended", "is delivered, records: 1"]
    assert len({line[1] for line in told}) == 1
    assert " ".join(summary[1:]).startswith("1 answer in answers.jsonl (1 succeeded); claude-opus-5-5: ")
    assert (silent.returncode, silent.stderr) == (0, "")
