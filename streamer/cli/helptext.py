"""Help as wide as the terminal, down to 60 columns; examples stay commands that can be copied."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap

WIDEST = 118  # beyond that lines are hard to read
NARROWEST = 60
_TWO_COLUMNS = re.compile(r"( +)(\S.*?)( {2,})(\S.*)")
_LEAST_TEXT = 30  # columns; a text with less beside it stands below
_WORD = re.compile(r"(?:'[^']*'|\"[^\"]*\"|\S)+")


class HelpFormatter(argparse.HelpFormatter):
    """Paragraphs are filled; what is indented is a list of commands or of words, each with what it means."""

    def __init__(self, prog: str) -> None:
        width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))
        super().__init__(prog, width=width)
        self._columns = width

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(fitted(text, self._columns))


def fitted(text: str, width: int) -> list[str]:
    r"""`text` in lines of at most `width` columns.

    Args:
        text: paragraphs, set apart by empty lines; indented lines are kept apart, and those of two columns stay so.
        width: columns.

    >>> for line in fitted("One two\nthree.\n\n  a --b      what it does", 9): print(line)
    One two
    three.
    <BLANKLINE>
      a --b
          what
          it
          does
    """
    lines: list[str] = []
    paragraph: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line and not line.startswith(" ") and not line.endswith(":"):
            paragraph.append(line)
            continue
        lines += textwrap.wrap(" ".join(paragraph), width, break_long_words=False, break_on_hyphens=False)
        paragraph = []
        lines += _indented(line, width) if line.startswith(" ") else [line]
    return lines[:-1]


def _indented(line: str, width: int) -> list[str]:
    """One line of a list, with its second column beside it or below it."""
    if len(line) <= width:
        return [line]
    two = _TWO_COLUMNS.fullmatch(line)
    if two is None:
        return _command(line, width)
    indent, left, gap, text = two.groups()
    column = len(indent + left + gap)
    if width - column < _LEAST_TEXT:
        below = indent + " " * 4
        return [
            *_command(indent + left, width),
            *textwrap.wrap(text, width, initial_indent=below, subsequent_indent=below),
        ]
    return textwrap.wrap(text, width, initial_indent=indent + left + gap, subsequent_indent=" " * column)


def _command(line: str, width: int) -> list[str]:
    """A command, continued on further lines as a shell understands them."""
    indent = " " * (len(line) - len(line.lstrip()))
    lines = [indent.removesuffix(" ")]
    for word in _WORD.findall(line):
        if len(lines[-1]) + 1 + len(word) + 2 > width and lines[-1].strip():
            lines[-1] += " \\"
            lines.append(indent + " " * 3)
        lines[-1] += " " + word
    return lines
