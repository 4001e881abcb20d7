"""The files that commands read and write: ids, the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.cli.idsfile import ids_in, read_ids
from streamer.cli.show.documents import ReportFile
from streamer.errors import ConfigurationError, StorageError
from streamer.pricing import Prices
from streamer.report import RunReport


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('msgbatch_1\n{"id": 5}', "ids.txt, line 2: the JSON has no id"),
        ('{"name": "x"}', "ids.txt, line 1: the JSON has no id"),
        ('\n{"id": ', "ids.txt, line 2: it begins like JSON but is none"),
    ],
)
def test_a_line_that_holds_no_id_is_named(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ids_in(text, "ids.txt")
    assert says in str(caught.value)


def test_ids_come_in_their_order_without_comments_blanks_and_white_space() -> None:
    assert ids_in('# no\n b \r\n\n{"id": "a"}\n{"batch_id": "c"}\n#d', "ids.txt") == ["b", "a", "c"]


def test_a_file_of_ids_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ids").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_ids(str(tmp_path / "ids"))


def test_a_file_of_ids_may_begin_with_a_bom(tmp_path: Path) -> None:
    (tmp_path / "ids").write_bytes(b"\xef\xbb\xbfmsgbatch_1\n")
    assert read_ids(str(tmp_path / "ids")) == ["msgbatch_1"]


def test_a_report_that_cannot_be_written_in_the_end_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    report = ReportFile(str(folder / "report.json"), Prices.load())
    folder.rmdir()
    with pytest.raises(StorageError, match="No such file or directory"):
        report.write(RunReport())


def test_a_report_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("older")
    ReportFile(str(file), Prices.load()).write(RunReport())
    assert file.read_text().startswith('{\n  "complete": true')
    assert list(tmp_path.iterdir()) == [file]
