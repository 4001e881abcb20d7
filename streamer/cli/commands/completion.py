"""`streamer completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import argparse

from streamer.cli.exits import Exit
from streamer.cli.options import Subparsers, add_command

SHELLS = ("bash", "zsh", "tcsh")


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "completion",
        "print a script that teaches your shell the commands and options",
        description="Print the completion script of a shell. It needs the package shtab: pip install 'streamer[cli]'.",
        examples="""
  streamer completion bash > ~/.local/share/bash-completion/completions/streamer
  streamer completion zsh > ~/.zfunc/_streamer             with ~/.zfunc in fpath before compinit
  streamer completion tcsh > ~/.streamer.tcsh              and `source` it in ~/.tcshrc
""",
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(handler=handler)


def handler(args: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        from streamer.errors import ConfigurationError

        raise ConfigurationError(
            "shell completion needs the package shtab, which is not installed: pip install 'streamer[cli]'"
        ) from None
    print(shtab.complete(args.parser, shell=args.shell))
    return Exit.COMPLETE
