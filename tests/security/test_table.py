"""The table in README.md cannot rot: every threat is in it, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
ROWS = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", (HERE / "README.md").read_text(), re.MULTILINE)


def _tests(file: Path) -> set[str]:
    found = ast.walk(ast.parse(file.read_text()))
    return {node.name for node in found if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_threat_is_in_the_table() -> None:
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 39))


def test_every_test_that_the_table_names_exists() -> None:
    named = [test for _, _, text in ROWS for test in re.findall(r"`([^`]+::[^`]+)`", text)]
    assert len(named) > 60
    for test in named:
        path, _, name = test.partition("::")
        assert name.startswith("test_")
        assert name in _tests(HERE.parent / path), test


def test_a_threat_without_a_test_has_a_sentence() -> None:
    assert {number: text for number, _, text in ROWS if "::" not in text} == {
        "20": "does not apply: no sink of ours writes CSV"
    }
