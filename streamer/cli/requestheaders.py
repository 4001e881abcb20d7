"""`--header`: further headers of every request, from the command line or, as they may be secret, from a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from streamer.errors import ConfigurationError


def read_headers(words: Sequence[str]) -> dict[str, str]:
    """The headers that the values of `--header` give: `NAME: VALUE`, or `@FILE` with such lines.

    In a file, blank lines and lines that begin with `#` are skipped.

    >>> read_headers(["X-Team: blue"])
    {'X-Team': 'blue'}

    Raises:
        ConfigurationError: a file cannot be read, something is no header, or one is given twice; no value is in the
            message.
    """
    headers: dict[str, str] = {}
    known = set()
    for line, where in _lines(words):
        name, colon, value = line.partition(":")
        if not colon:
            raise ConfigurationError(f"{where} is no header; write NAME: VALUE, or @FILE for a file of them")
        if name.strip().lower() in known:
            raise ConfigurationError(f"{where} gives the header {name.strip()} a second time")
        known.add(name.strip().lower())
        headers[name.strip()] = value.strip()
    return headers


def _lines(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The headers as they stand there, each with where that is."""
    for word in words:
        if not word.startswith("@"):
            yield word, "--header"
            continue
        path = word[1:]
        try:
            text = Path(path).expanduser().read_text(encoding="utf-8-sig")
        except (OSError, ValueError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigurationError(f"the headers cannot be read from {path}: {why}") from None
        for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
            if line and not line.startswith("#"):
                yield line, f"{path}, line {number},"
