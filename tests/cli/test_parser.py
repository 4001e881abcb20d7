"""What every option has in common: it is taken once or collects, and a path is what the shell would have made of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.cli.parser import make_parser
from streamer.cli.paths import directory_value, path_value, target_value
from tests.cli.conftest import Refused


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield from make_parser()._commands().items()


OPTIONS = [
    (name, action.option_strings[-1], action)
    for name, command in commands()
    for action in command._actions
    if action.option_strings and action.nargs != 0
]


def value(action: argparse.Action) -> str:
    """Something that the option takes."""
    if action.choices:
        return str(next(iter(action.choices)))
    for text in ("1", "errored", "x"):
        try:
            if callable(action.type):
                action.type(text)
        except (argparse.ArgumentTypeError, ValueError):
            continue
        return text
    raise AssertionError(action.option_strings)


@pytest.mark.parametrize(("command", "option", "action"), OPTIONS, ids=[f"{one[0]} {one[1]}" for one in OPTIONS])
def test_an_option_given_twice_collects_or_is_refused(
    command: str, option: str, action: argparse.Action, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = make_parser()._commands()[command]
    for positional in parser._actions:
        positional.required = False
        if not positional.option_strings:
            positional.nargs = "*"
    words = [option, value(action), option, value(action)]
    if isinstance(action, argparse._AppendAction):  # which --to extend is one of
        assert len(getattr(parser.parse_args(words), action.dest)) == 2
        return
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(words)
    assert caught.value.code == 2
    assert f"{option} is given twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "dest", "both"),
    [
        (("run", "--only", "errored", "--only", "expired,canceled"), "only", ["errored", "expired", "canceled"]),
        (("process", "r", "--to", "a", "--fields", "a,b", "--fields", "c"), "fields", ["a", "b", "c"]),
        (("retry", "--requests", "r", "--also", "canceled", "--also", "missing"), "also", ["canceled", "missing"]),
    ],
)
def test_lists_collect_what_each_time_is_given(words: tuple[str, ...], dest: str, both: list[str]) -> None:
    assert getattr(make_parser().parse_args(words), dest) == both
    assert getattr(make_parser().parse_args(words), dest) == both  # a default list is not filled


PATHS = [
    ("run", "--to"), ("run", "--rejects"), ("run", "--checkpoint"), ("run", "--requests"), ("run", "--ids-from"),
    ("run", "--project"), ("run", "--template"), ("run", "--prices"), ("run", "--report"), ("process", "--to"),
    ("process", "--report"), ("process", "--project"), ("retry", "--to"), ("retry", "--results"),
    ("retry", "--project"), ("join", "--to"), ("join", "--results"), ("cost", "--prices"), ("demo", "--to"),
    ("submit", "--project"), ("submit", "--template"),
]  # fmt: skip


def test_every_option_that_names_a_file_is_one_of_those_tested() -> None:
    found = {
        (name, option)
        for name, option, action in OPTIONS
        if action.metavar in {"FILE", "DIR", "TEMPLATE", "TARGET"} or action.type in {path_value, directory_value}
    }
    assert found >= set(PATHS)
    kinds = {path_value, directory_value, target_value}
    assert {action.type for name, option, action in OPTIONS if (name, option) in found} <= kinds


@pytest.mark.parametrize(("command", "option"), PATHS)
def test_home_is_found_and_a_variable_is_refused(
    command: str, option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: Refused
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    [action] = [action for name, text, action in OPTIONS if (name, text) == (command, option)]
    assert callable(action.type)
    assert action.type("~/out/{batch_id}.jsonl") == str(tmp_path / "out" / "{batch_id}.jsonl")
    assert action.type("-") == "-"
    said = refused(command, f"{option}=$HOME/out/{{batch_id}}.jsonl", cwd=tmp_path)
    assert "names $HOME, which the shell has not replaced" in said
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_or_no_path_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a$b").touch()
    assert path_value("a$b") == "a$b"
    assert path_value("costs 5 $") == "costs 5 $"
    assert target_value("callback:mine:$x") == "callback:mine:$x"
    assert target_value("file:~/{batch_id}") == f"file:{tmp_path}/{{batch_id}}"
    for text in ("$X/y", "${X}/y", "~nobody-of-this-name/x"):
        with pytest.raises(argparse.ArgumentTypeError):
            path_value(text)


@pytest.mark.parametrize("words", [("-v", "list"), ("list", "-v"), ("-v", "list", "-v")])
def test_loudness_may_stand_before_the_command(words: tuple[str, ...]) -> None:
    args = make_parser().parse_args(words)
    assert (args.verbose, args.quiet) == (True, False)
