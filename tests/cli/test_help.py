"""The help teaches, and comes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

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
    "cost",
    "serve",
    "completion",
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


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_commands_and_options(tmp_path: Path, shell: str) -> None:
    done = streamer("completion", shell, cwd=tmp_path, key=None)
    assert done.returncode == 0
    assert "delete" in done.stdout
    assert "--poll-interval" in done.stdout or shell == "tcsh"  # for which shtab completes commands only


def test_completion_without_shtab_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['shtab'] = None\nfrom streamer.cli import main; sys.exit(main(['completion', 'bash']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "pip install 'streamer[cli]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_version_is_that_of_what_was_installed(tmp_path: Path) -> None:
    done = streamer("--version", cwd=tmp_path, key=None)
    assert (done.returncode, done.stdout) == (0, f"streamer {version('batchstreamer')}\n")
