from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.errors import ConfigurationError
from streamer.sinks.callback import CallbackSink
from streamer.sinks.file import FileSink
from streamer.sinks.stdout import StdoutSink
from streamer.sinks.targets import sink_for

Install = Callable[[str, dict[str, str], str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a small distribution the way pip does: its code, and beside it its entry points."""
    monkeypatch.syspath_prepend(tmp_path)
    modules = set(sys.modules)

    def install(name: str, entry_points: dict[str, str], code: str = "") -> None:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{scheme} = {value}\n" for scheme, value in entry_points.items())
        (info / "entry_points.txt").write_text(f"[streamer.sinks]\n{lines}")
        (tmp_path / f"{name}.py").write_text(code)
        importlib.invalidate_caches()

    yield install
    for module in set(sys.modules) - modules:
        del sys.modules[module]


@pytest.fixture
def _ours(install: Install) -> None:
    """Our own schemes, as pyproject registers them, whether or not streamer itself is installed."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    install("ours", project["entry-points"]["streamer.sinks"], "")


THEIRS = """
from streamer.sinks.queue import QueueSink
import asyncio

def from_target(rest):
    if rest == "raise":
        raise ValueError("rest is wrong")
    if rest == "nothing":
        return None
    sink = QueueSink(asyncio.Queue(int(rest)))
    return sink
"""


@pytest.mark.parametrize(
    "target", ["results/{batch_id}.jsonl", "C:\\{batch_id}", "c:/x/{batch_id}", "./a:b/{batch_id}"]
)
def test_anything_without_a_scheme_is_a_file_template(target: str) -> None:
    assert repr(sink_for(target)) == repr(FileSink(target))


def test_a_dash_is_standard_output() -> None:
    assert isinstance(sink_for("-"), StdoutSink)


@pytest.mark.usefixtures("_ours")
def test_our_own_schemes() -> None:
    assert repr(sink_for("file:a:b/{batch_id}")) == "FileSink('a:b/{batch_id}')"
    assert isinstance(sink_for("callback:builtins:print"), CallbackSink)
    with pytest.raises(ConfigurationError, match="cannot be imported"):
        sink_for("callback:no_such_module:f")


def test_a_sink_of_another_package(install: Install) -> None:
    install("theirs", {"their+queue": "theirs:from_target"}, THEIRS)
    assert repr(sink_for("their+queue:7")) == "QueueSink(0 of 7 waiting, per='record')"


@pytest.mark.usefixtures("_ours")
def test_an_unknown_scheme_is_refused_with_those_that_are_known(install: Install) -> None:
    install("theirs", {"theirs": "theirs:from_target"}, THEIRS)
    with pytest.raises(ConfigurationError) as refusal:
        sink_for("s3://bucket/{batch_id}")
    assert "known are callback:, file:, theirs:; " in str(refusal.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("theirs:raise", "theirs:from_target raised ValueError: rest is wrong"),
        ("theirs:nothing", "theirs:from_target gave a NoneType, which is not a Sink"),
        ("theirs:0", "the queue has no bound"),
        ("missing:x", "missing.module:f raised ModuleNotFoundError: No module named 'missing'"),
        ("absent:x", "theirs:no_such raised AttributeError"),
    ],
)
def test_a_provider_that_does_not_work(install: Install, target: str, message: str) -> None:
    points = {"theirs": "theirs:from_target", "missing": "missing.module:f", "absent": "theirs:no_such"}
    install("theirs", points, THEIRS)
    with pytest.raises(ConfigurationError) as refusal:
        sink_for(target)
    assert message in str(refusal.value)


def test_a_scheme_that_two_packages_claim(install: Install) -> None:
    install("theirs", {"theirs": "theirs:from_target"}, THEIRS)
    install("others", {"theirs": "others:from_target"}, THEIRS)
    with pytest.raises(ConfigurationError, match="either of others:from_target, theirs:from_target"):
        sink_for("theirs:7")
