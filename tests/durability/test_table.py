"""The table in README.md cannot rot: every fault is in it, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
ROWS = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", (HERE / "README.md").read_text(), re.MULTILINE)


def _tests(file: Path) -> set[str]:
    found = ast.walk(ast.parse(file.read_text()))
    return {node.name for node in found if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_every_fault_is_in_the_table() -> None:
    numbers = [int(number) for number, _, _ in ROWS]
    assert numbers[:66] == list(range(1, 67))
    assert len(set(numbers)) == len(numbers)


def test_every_test_that_the_table_names_exists() -> None:
    named = [test for _, _, text in ROWS for test in re.findall(r"`([^`]+::[^`]+)`", text)]
    assert len(named) > 100
    for test in named:
        path, _, name = test.partition("::")
        assert name.startswith("test_")
        assert name in _tests(HERE.parent / path), test


def test_a_fault_without_a_test_has_a_sentence() -> None:
    assert {number for number, _, text in ROWS if "::" not in text} == {"62", "63", "64"}
