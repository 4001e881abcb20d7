"""The report of a run as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.cli.show.documents import ReportFile
from streamer.errors import StorageError
from streamer.pricing import Prices
from streamer.report import BatchReport, Outcome, RunReport


def test_a_report_that_cannot_be_written_in_the_end_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    report = ReportFile(str(folder / "report.json"), Prices.load())
    folder.rmdir()
    folder.write_text("")
    with pytest.raises(StorageError, match="is a file where a directory should be"):
        report.write(RunReport())
    folder.unlink()
    (folder / "report.json").mkdir(parents=True)
    with pytest.raises(StorageError, match="is a directory"):
        report.write(RunReport())


def test_a_report_whose_folder_is_gone_is_written_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    report = ReportFile(str(folder / "report.json"), Prices.load())
    folder.rmdir()
    report.write(RunReport())
    assert [path.name for path in folder.iterdir()] == ["report.json"]


def test_a_report_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("older")
    ReportFile(str(file), Prices.load()).write(RunReport())
    assert file.read_text().startswith('{\n  "complete": true')
    assert list(tmp_path.iterdir()) == [file]


def test_a_report_with_half_a_character_is_written_all_the_same(tmp_path: Path) -> None:
    """A server may send an id that is no text; that JSON can write."""
    batch = BatchReport(batch_id="msgbatch_1", outcome=Outcome.INCOMPLETE, unknown_ids=["\ud83d"])
    ReportFile(str(tmp_path / "report.json"), Prices.load()).write(RunReport(batches=[batch]))
    told = json.loads((tmp_path / "report.json").read_bytes())
    assert told["batches"][0]["unknown_ids"] == ["\ud83d"]
