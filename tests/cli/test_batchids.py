"""Batch ids from a file, or from another command."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.cli.batchids import ids_in, read_ids
from streamer.errors import ConfigurationError


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
