"""What no source of the package does: look at it, as no test can try everything."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.floors import floors

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "streamer").rglob("*.py"))


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    """The last name of what is called: `server` of `asyncio.start_server` is `start_server`."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def constant(value: ast.expr) -> object:
    """The value of a constant; something that is no constant for all else."""
    return value.value if isinstance(value, ast.Constant) else value


def modules(tree: ast.AST) -> set[str]:
    """The top-level modules that are imported."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_does_nothing_that_is_unsafe_whatever_it_is_given(path: Path) -> None:
    tree = ast.parse(path.read_text())
    # Nothing that comes from outside is turned into objects or code.
    assert modules(tree).isdisjoint({"pickle", "marshal", "shelve", "yaml", "dill", "cloudpickle", "jsonpickle"})
    assert {name_of(call) for call in calls(tree)}.isdisjoint({"eval", "exec", "raise_for_status"})
    for call in calls(tree):
        given = {keyword.arg: constant(keyword.value) for keyword in call.keywords}
        # Certificates are verified, redirects and the environment not followed, and no shell reads a command.
        assert all(given.get(name) is not False for name in ("ssl", "verify_ssl", "verify")), call.lineno
        assert all(given.get(name, False) is False for name in ("allow_redirects", "trust_env")), call.lineno
        assert name_of(call) not in {"Popen", "run"} or not given.get("shell"), call.lineno
    assert "CERT_NONE" not in path.read_text()


def test_only_the_test_servers_listen() -> None:
    listening = {"start_server", "create_server", "start_unix_server", "bind", "listen", "run_app", "TCPSite"}
    found = {
        path.relative_to(ROOT / "streamer").parts[0]
        for path in SOURCES
        if listening & {name_of(call) for call in calls(ast.parse(path.read_text()))}
    }
    assert found == {"emulator", "faults"}


def test_every_requirement_has_a_floor_and_that_of_aiohttp_keeps_its_promise() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    pinned = dict(re.split("==|;", one)[:2] for one in floors(text))
    # Before it, a redirect to another host took x-api-key along (aio-libs/aiohttp pull 13180). We follow none
    # blindly, but a caller's own session might.
    assert tuple(map(int, pinned["aiohttp"].split("."))) >= (3, 14, 3)
    # Before it, bad JSON raised what is no ValueError, and a bad record ended the run.
    assert tuple(map(int, pinned["msgspec"].split("."))) >= (0, 21)
    needed = tomllib.loads(text)["project"]["dependencies"]
    assert {re.split(">=", one)[0] for one in needed} == {"aiofiles", "aiohttp", "ijson", "msgspec", "uvloop"}


def test_a_requirement_without_a_floor_is_noticed() -> None:
    with pytest.raises(ValueError, match="'aiohttp' is not of the form"):
        floors('[project]\nname = "x"\ndependencies = ["aiohttp"]')
