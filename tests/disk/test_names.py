from __future__ import annotations

from pathlib import Path

import pytest

from streamer.disk.names import check_name
from streamer.errors import ConfigurationError


def test_the_longest_names_are_those_that_the_file_system_takes(tmp_path: Path) -> None:
    for name in ("x" * 250, "é" * 125, "d" * 255 + "/x"):
        check_name(tmp_path / name)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.part").touch()


@pytest.mark.parametrize("name", ["x" * 251, "é" * 126, "d" * 256 + "/x", "x\0y"])
def test_a_longer_one_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no file can be called"):
        check_name(name)


def test_a_path_without_a_name_is_nobodys_mistake_here() -> None:
    for path in ("", ".", "/"):
        check_name(path)
