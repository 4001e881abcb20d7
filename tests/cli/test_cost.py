"""`streamer cost`, and the cost in every report: what the records say, priced by hand here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from streamer.emulator.running import RunningEmulator, running
from tests.cli import strange
from tests.cli.command import listed, raw_results, streamer
from tests.cli.test_terminal import seen

CACHED = [{"type": "text", "text": "You are a judge of essays. " * 40, "cache_control": {"type": "ephemeral"}}]
HOUR = [{**CACHED[0], "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
SEARCH = [{"type": "web_search_20250305", "name": "web_search"}]


def request(custom_id: str, model: str, text: str = "Why is the sky blue?", **params: Any) -> str:
    messages = [{"role": "user", "content": text}]
    return json.dumps(
        {"custom_id": custom_id, "params": {"model": model, "max_tokens": 900, "messages": messages, **params}}
    )


def mixed() -> list[str]:
    """Requests of every kind that has a price of its own, one of a model nobody knows, and one that fails."""
    lines = [request(f"five-{n}", "claude-opus-5-5", f"Essay {n}", system=CACHED) for n in range(60)]
    lines += [request(f"hour-{n}", "claude-sonnet-5-5", f"Essay {n}", system=HOUR) for n in range(60)]
    lines += [request(f"search-{n}", "claude-sonnet-5-5", f"Find {n}", tools=SEARCH) for n in range(3)]
    lines += [request(f"think-{n}", "claude-fable-5-2", f"Muse {n}", thinking={"type": "adaptive"}) for n in range(3)]
    lines += [request("long", "claude-haiku-5-5", "word " * 90_000), request("short", "claude-haiku-5-5")]
    lines.append(request("bad", "claude-haiku-5-5", thinking={"type": "enabled", "budget_tokens": 5000}))
    return [*lines, request("dated", "claude-haiku-4-5-20251001"), request("new", "claude-new-9")]


# USD a million at batch price: input, output, written for 5 minutes and for an hour, read.
PRICES = {
    "claude-opus-5-5": ("2", "10", "2.5", "4", "0.1"),
    "claude-sonnet-5-5": ("1", "5", "1.25", "2", "0.05"),
    "claude-fable-5-2": ("4", "20", "5", "8", "0.1"),
    "claude-haiku-5-5": ("0.05", "0.25", "0.0625", "0.1", "0.005"),
    "long": ("0.25", "1.25", "0.3125", "0.5", "0.025"),
    "claude-haiku-4-5-20251001": ("0.5", "2.5", "0.625", "1", "0.05"),
}


def by_hand(results: bytes) -> Fraction:
    """The cost of all records but that of the new model, without a line of the project's own."""
    sum_ = Fraction()
    for line in results.splitlines():
        message = json.loads(line)["result"].get("message")
        if message is None or message["model"] == "claude-new-9":
            continue
        usage = message["usage"]
        written = usage["cache_creation"]
        counts = (
            usage["input_tokens"],
            usage["output_tokens"],
            written["ephemeral_5m_input_tokens"],
            written["ephemeral_1h_input_tokens"],
            usage["cache_read_input_tokens"],
        )
        rates = PRICES["long" if usage["input_tokens"] > 100_000 else message["model"]]
        sum_ += sum(Fraction(rate) * count for rate, count in zip(rates, counts, strict=True)) / 1_000_000
        sum_ += Fraction((usage["server_tool_use"] or {}).get("web_search_requests", 0), 100)
    return sum_


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningEmulator, str]]:
    """A batch of all kinds of requests that has ended, among others."""
    with running(fill_ended=2, records=30, duration=3600) as emulator:
        folder = tmp_path_factory.mktemp("submitted")
        (folder / "requests.jsonl").write_text("\n".join(mixed()))
        batch_id = streamer("submit", "requests.jsonl", cwd=folder, base_url=emulator.base_url).stdout.strip()
        emulator.advance(7200)
        yield emulator, batch_id


def test_a_mixed_run_costs_what_its_records_say_in_every_report(
    tmp_path: Path, workspace: tuple[RunningEmulator, str]
) -> None:
    emulator, batch_id = workspace
    right = by_hand(raw_results(emulator, batch_id))
    words = ("run", batch_id, "--json", "--report", "report.json")
    done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    batch, run = map(json.loads, done.stdout.splitlines())
    report = json.loads((tmp_path / "report.json").read_text())
    file = streamer("cost", f"results/{batch_id}.jsonl", "--json", cwd=tmp_path, key=None)
    streamed = streamer("cost", batch_id, "--json", cwd=tmp_path, base_url=emulator.base_url)
    told = [batch, run, report, report["batches"][0], json.loads(file.stdout), json.loads(streamed.stdout)]
    assert [Fraction(one["cost"]["usd"]) for one in told] == [right] * 6
    assert [one["cost"]["unpriced"] for one in told] == [["claude-new-9"]] * 6
    assert all(one["usage"] == batch["usage"] for one in told)
    assert all(one["complete"] is True for one in told)
    spent = batch["usage"]
    assert spent["claude-opus-5-5"]["cache_write_5m"] > 0
    assert spent["claude-opus-5-5"]["cache_read"] > 0
    assert spent["claude-sonnet-5-5"]["cache_write_1h"] > 0
    assert spent["claude-sonnet-5-5"]["web_searches"] == 3
    assert spent["claude-fable-5-2"]["thinking"] > 0
    assert spent["claude-haiku-5-5;long"]["input"] > 100_000
    assert sum(Fraction(usd) for usd in run["cost"]["models"].values() if usd is not None) == right
    assert run["cost"]["models"]["claude-new-9"] is None
    assert batch["records"] == {"succeeded": 130, "errored": 1}


def test_people_see_a_table_that_says_what_the_total_leaves_out(
    tmp_path: Path, workspace: tuple[RunningEmulator, str]
) -> None:
    emulator, batch_id = workspace
    (tmp_path / "r.jsonl").write_bytes(raw_results(emulator, batch_id))
    code, out, shown = seen("cost", "r.jsonl", cwd=tmp_path, base_url=emulator.base_url)
    header, *models, total, left_out = out.splitlines()
    assert code == 0
    words = "MODEL RECORDS INPUT WRITTEN 5M WRITTEN 1H READ OUTPUT THINKING SEARCHES USD"
    assert " ".join(header.split()) == words
    assert {line.split()[0] for line in models} == {*PRICES, "claude-haiku-5-5;long", "claude-new-9"} - {"long"}
    [new] = [line for line in models if line.startswith("claude-new-9")]
    assert new.endswith("no price")
    assert total.split()[:2] == ["total", "130"]
    usd = by_hand(raw_results(emulator, batch_id))
    assert total.endswith(f"${float(usd):,.4f}")
    assert left_out == "The total leaves out what has no price, of 1 model: claude-new-9"
    assert "batch prices as they were read on 2026-" in shown


def test_the_summary_of_a_run_tells_the_cost(tmp_path: Path, workspace: tuple[RunningEmulator, str]) -> None:
    emulator, batch_id = workspace
    usd = f"${float(by_hand(raw_results(emulator, batch_id))):,.4f} at batch price"
    _, _, shown = seen("run", batch_id, cwd=tmp_path, base_url=emulator.base_url)
    assert f"cost: {usd}, without 1 model with no price (claude-new-9; --prices gives one)" in shown
    assert "3 web searches" in shown
    older = listed(emulator)[-1]
    _, _, shown = seen("run", batch_id, older, cwd=tmp_path, base_url=emulator.base_url)
    assert "cost of the records that came in this run: $" in shown


def test_own_prices_and_repeated_ids(tmp_path: Path, workspace: tuple[RunningEmulator, str]) -> None:
    emulator, batch_id = workspace
    [new] = [line for line in raw_results(emulator, batch_id).splitlines() if b'"new"' in line]
    us = new.replace(b'"new"', b'"us"').replace(b'"not_available"', b'"us"')
    (tmp_path / "r.jsonl").write_bytes(b"\n".join([new, us, new]))
    rates = {"input": 7, "output": 0, "cache_write_5m": 0, "cache_write_1h": 0, "cache_read": 0}
    prices = {"models": {"claude-new-9": {"rates": rates, "geo": {"us": 1.5}}}}
    (tmp_path / "ours.json").write_text(json.dumps(prices))
    done = streamer("cost", "r.jsonl", "r.jsonl", "--prices", "ours.json", "--json", cwd=tmp_path, key=None)
    told = json.loads(done.stdout)
    tokens = json.loads(new)["result"]["message"]["usage"]["input_tokens"]
    assert told["records"] == {"succeeded": 2}
    assert Fraction(told["cost"]["usd"]) == Fraction(tokens * 7 * 25, 10_000_000)
    assert told["cost"]["unpriced"] == []
    report = streamer("run", batch_id, "--json", "--prices", "ours.json", cwd=tmp_path, base_url=emulator.base_url)
    assert json.loads(report.stdout.splitlines()[-1])["cost"]["unpriced"] == []


def test_what_cannot_be_counted_is_told_and_the_rest_is_counted(tmp_path: Path) -> None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 0}
    message = {"model": "claude-haiku-4-5", "usage": usage}
    good = json.dumps({"custom_id": "a", "result": {"type": "succeeded", "message": message}})
    (tmp_path / "good.jsonl").write_text(good)
    (tmp_path / "bad.jsonl").write_text(good + "\n{}\n")
    with running(fill=1, duration=36_000) as emulator:
        [waiting] = listed(emulator)
        words = ("cost", "bad.jsonl", "good.jsonl", waiting)
        done = streamer(*words, cwd=tmp_path, base_url=emulator.base_url)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].split()[1:3] == ["1", "1,000,000"]
    told = done.stderr.splitlines()
    assert f"streamer: bad.jsonl is not counted: at byte {len(good) + 1:,} it holds something else" in told[0]
    assert f"{waiting} is in_progress: what it costs is known when it has ended" in told[1]
    assert told[-1] == "streamer: not all that was asked for is counted"


def test_a_batch_whose_results_cannot_be_had_is_told_and_the_others_are_counted(tmp_path: Path) -> None:
    with strange.serving() as server:
        words = ("cost", strange.REFUSED, strange.GOOD, "--json")
        done = streamer(*words, cwd=tmp_path, base_url=server.url)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["complete"] is False
    assert told["records"] == {"canceled": 2}
    assert (told["usage"], told["cost"]["usd"]) == ({}, "0")
    assert f"{strange.REFUSED} failed" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_array_costs_what_its_lines_do(tmp_path: Path, workspace: tuple[RunningEmulator, str]) -> None:
    emulator, batch_id = workspace
    lines = raw_results(emulator, batch_id)
    (tmp_path / "r.jsonl").write_bytes(lines)
    records = [json.loads(line) for line in lines.splitlines()]
    (tmp_path / "written.json").write_bytes(b"[\n" + b",\n".join(lines.splitlines()) + b"\n]\n")
    (tmp_path / "pretty.json").write_text(json.dumps(records, indent=2))
    told = [
        json.loads(streamer("cost", name, "--json", cwd=tmp_path, key=None).stdout)
        for name in ("r.jsonl", "written.json", "pretty.json")
    ]
    assert told[0] == told[1] == told[2]
    assert told[0]["records"]["succeeded"] == 130


def test_nothing_counted_shows_no_table(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"what": 1}')
    done = streamer("cost", "x.json", cwd=tmp_path, key=None)
    assert (done.returncode, done.stdout) == (1, "")
    assert "x.json is not counted: at byte 0" in done.stderr
    (tmp_path / "r.jsonl.gz").write_bytes(b"\x1f\x8b\x08")
    done = streamer("cost", "r.jsonl.gz", cwd=tmp_path, key=None)
    assert (done.returncode, done.stdout) == (1, "")
    assert "r.jsonl.gz is compressed with gzip, which is not read here; unpack it first" in done.stderr


def test_where_nothing_was_counted_no_table_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("nothing of ours\n")
    done = streamer("cost", "x.jsonl", cwd=tmp_path, key=None)
    assert (done.returncode, done.stdout) == (1, "")
    assert "x.jsonl is not counted" in done.stderr
