"""The help teaches, and comes at once."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from streamer.cli.helptext import fitted
from tests.cli.command import streamer

COMMANDS = (
    "demo",
    "process",
    "run",
    "submit",
    "retry",
    "join",
    "list",
    "show",
    "cancel",
    "delete",
    "status",
    "cost",
    "serve",
    "completion",
    "help",
)


def test_the_help_names_commands_environment_and_exit_codes(tmp_path: Path) -> None:
    done = streamer("--help", cwd=tmp_path, key=None)
    assert done.returncode == 0
    for word in (*COMMANDS, "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "  130  interrupted"):
        assert word in done.stdout


def test_every_command_has_examples() -> None:
    from streamer.cli.parser import make_parser

    parser = make_parser()
    [subparsers] = [action for action in parser._actions if action.dest == "==SUPPRESS=="][-1:]
    assert isinstance(subparsers.choices, dict)
    assert set(subparsers.choices) == set(COMMANDS)
    for name, command in subparsers.choices.items():
        assert f"  streamer {name}" in command.format_help()


def test_the_help_loads_nothing_slow() -> None:
    script = """
import json, sys
from streamer.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert not {"aiohttp", "msgspec", "rich", "shtab", "uvloop"} & set(loaded)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_completion_knows_commands_and_options(tmp_path: Path, shell: str) -> None:
    done = streamer("completion", shell, cwd=tmp_path, key=None)
    assert done.returncode == 0
    assert "delete" in done.stdout
    assert "poll-interval" in done.stdout or shell == "tcsh"  # for which shtab completes commands only


def test_completion_without_shtab_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['shtab'] = None\nfrom streamer.cli import main; sys.exit(main(['completion', 'bash']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "pip install 'batchstreamer[cli]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_version_is_that_of_what_was_installed(tmp_path: Path) -> None:
    done = streamer("--version", cwd=tmp_path, key=None)
    assert (done.returncode, done.stdout) == (0, f"streamer {version('batchstreamer')}\n")


def test_without_a_command_and_with_help_the_help_is_shown(tmp_path: Path) -> None:
    shown = [streamer(*words, cwd=tmp_path, key=None) for words in ((), ("help",), ("--help",))]
    assert [(done.returncode, done.stderr) for done in shown] == [(0, "")] * 3
    assert len({done.stdout for done in shown}) == 1
    assert "streamer process requests.jsonl --to answers.jsonl" in shown[0].stdout
    of_run = [streamer(*words, cwd=tmp_path, key=None) for words in (("help", "run"), ("run", "--help"))]
    assert of_run[0].stdout == of_run[1].stdout
    assert of_run[0].stdout.startswith("usage: streamer run")


@pytest.mark.parametrize("columns", [60, 72, 80, 100, 200])
def test_help_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamer.cli.parser import make_parser

    monkeypatch.setenv("COLUMNS", str(columns))
    parser = make_parser()
    for command in (parser, *parser._commands().values()):
        assert [line for line in command.format_help().splitlines() if len(line) > min(columns, 118)] == []


def test_a_long_example_stays_a_command_for_a_shell() -> None:
    example = "  streamer run ID1 ID2 --requests 'my requests.jsonl' --to answers.jsonl --retry 2     in one file"
    *command, text = fitted(example, 60)
    assert text == "      in one file"
    assert shlex.split("".join(line.removesuffix("\\") for line in command)) == shlex.split(example)[:-3]
    assert "'my requests.jsonl'" in "".join(command)


def test_completion_offers_files_and_directories(tmp_path: Path) -> None:
    bash, fish = [streamer("completion", shell, cwd=tmp_path, key=None).stdout for shell in ("bash", "fish")]
    assert "_shtab_streamer_process___template_COMPGEN=_shtab_compgen_files" in bash
    assert "_shtab_streamer_process___project_COMPGEN=_shtab_compgen_dirs" in bash
    assert "_shtab_streamer_submit_pos_0_COMPGEN=_shtab_compgen_files" in bash
    assert re.search("_using process' -l template .*fish_complete_path", fish)
