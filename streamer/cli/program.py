"""`main`: one command from its arguments to its exit code. Whatever goes wrong becomes one sentence on stderr."""

from __future__ import annotations

import argparse
import errno
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from streamer.api.masking import looks_like_key, masked
from streamer.cli.exits import Exit, Interrupted
from streamer.cli.parser import make_parser
from streamer.cli.show.repeated import Repeated
from streamer.cli.stdio import forget_stdout, open_missing, say, stdout_failed
from streamer.cli.surroundings import check, raise_limit

if TYPE_CHECKING:
    from streamer.errors import ConfigurationError

KEY_TYPED = (
    "there is a key among the words of this command, and it looks like a real one, so nothing was done: the key is "
    "taken from ANTHROPIC_API_KEY in the environment, never from a command line, which every user of the machine can "
    "read and the shell's history keeps; revoke this one"
)
SHORTEST_KEY = 16  # characters; a shorter one, as for the emulator, may be part of an innocent word


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the words after `streamer`; those of the process by default.
    """
    open_missing()
    raise_limit()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows its number instead
            stream.reconfigure(errors="backslashreplace")
    args = argparse.Namespace()
    try:
        with _terminated_like_interrupted():
            words = sys.argv[1:] if argv is None else argv
            if _hold_a_key(words):
                say(KEY_TYPED)
                return Exit.USAGE
            make_parser().parse_args(words, args)
            with _logging(args.verbose, args.quiet):
                return _run(args)
    except (KeyboardInterrupt, Interrupted):
        advice = getattr(args, "when_interrupted", "")
        say(f"interrupted; {advice}" if advice else "interrupted")
        return Exit.INTERRUPTED


def _hold_a_key(words: Sequence[str]) -> bool:
    """Whether a key was typed: one of the API's, or what the environment gives as the key."""
    keys = [os.environ.get(name, "").strip() for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")]
    return any(looks_like_key(word) or any(len(key) >= SHORTEST_KEY and key in word for key in keys) for word in words)


def _run(args: argparse.Namespace) -> int:
    """Run the command that was parsed; an error becomes its sentence and its exit code."""
    from streamer.errors import ConfigurationError, StreamerError

    try:
        check(args)
        code: int = args.handler(args)
        sys.stdout.flush()  # here, where it can still be told that nobody reads it
    except ConfigurationError as error:
        say(_without_problems(error))
        return Exit.USAGE
    except StreamerError as error:
        say(str(error))
        return Exit.INCOMPLETE
    except BrokenPipeError:
        forget_stdout()
        return Exit.INCOMPLETE
    except Interrupted:
        raise
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody who cannot change the code
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            say(f"no file can be called {str(error.filename)[:24] + '...'!r}: {error.strerror}; choose a shorter name")
            return Exit.USAGE
        if stdout_failed(error):
            forget_stdout()
            say(f"standard output cannot be written: {os.strerror(error.errno or 0)}")
            return Exit.INCOMPLETE
        say(f"{type(error).__name__}: {error}; this is a mistake in streamer, with -v it says where")
        if args.verbose:
            sys.stderr.write(masked(traceback.format_exc(), ()))
        return Exit.INCOMPLETE
    return code


def _without_problems(error: ConfigurationError) -> str:
    """The sentence of an error; problems of request files are not told again, as each was when it was found."""
    from streamer.requests.problems import InvalidRequestsError

    return error.summary if isinstance(error, InvalidRequestsError) else str(error)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM does what Ctrl-C does, also while no event loop runs."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _StderrLines(logging.Handler):
    """What the library logs, as lines on whatever stderr is at the moment: live progress puts itself in between.

    A person who waits at a terminal is told of every retry, too, or would wonder why nothing happens.
    """

    def __init__(self, level: int, *, retries: bool) -> None:
        super().__init__(level=logging.INFO)
        self._least = level
        self._repeated = Repeated()
        self._retries = retries

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= self._least or (self._retries and getattr(record, "action", "") == "retry"):
            kind = "warning: " if record.levelno == logging.WARNING else ""
            speak = say if self._least <= logging.INFO else self._repeated.say  # who asks for everything gets it
            speak(kind + self.format(record))

    def close(self) -> None:
        """Say how many were not said."""
        self._repeated.say_rest()
        super().close()


@contextmanager
def _logging(verbose: bool, quiet: bool) -> Iterator[None]:
    """The library's log on stderr while a command runs: warnings, with -v also what it does, with -q errors alone."""
    log = logging.getLogger("streamer")
    level = logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
    handler = _StderrLines(level, retries=sys.stderr.isatty() and not quiet)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
        log.setLevel(logging.NOTSET)
