"""`streamer completion`: the script that makes a shell complete commands, options and file names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from streamer.cli.exits import Exit
from streamer.cli.options import Subparsers, add_command
from streamer.cli.paths import directory_value, path_value, target_value

SHELLS = ("bash", "zsh", "fish", "tcsh")


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "completion",
        "print a script that teaches your shell the commands and options",
        description="Print the completion script of a shell. It is made by the package shtab.",
        examples="""
  streamer completion bash > ~/.local/share/bash-completion/completions/streamer
  streamer completion zsh > ~/.zfunc/_streamer             with ~/.zfunc in fpath before compinit
  streamer completion fish > ~/.config/fish/completions/streamer.fish
  streamer completion tcsh > ~/.streamer.tcsh              and `source` it in ~/.tcshrc
""",
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Print the script.

    Raises:
        ConfigurationError: shtab is not installed, or is too old for the shell.
    """
    from streamer.cli.extras import how_to_install
    from streamer.errors import ConfigurationError

    try:
        import shtab
    except ImportError:
        raise ConfigurationError(
            f"shell completion needs the package shtab, which is not installed: {how_to_install('cli')}"
        ) from None
    if args.shell not in shtab.SUPPORTED_SHELLS:
        raise ConfigurationError(
            f"shtab {shtab.__version__} knows nothing of {args.shell}, a newer one does: {how_to_install('cli')}"
        )
    for action in _actions(args.parser):
        if action.type in {path_value, target_value}:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.type is directory_value:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    print(shtab.complete(args.parser, shell=args.shell))
    return Exit.COMPLETE


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every option and argument of a parser, and of those of its commands."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
