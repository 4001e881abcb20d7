"""A terminal as small as it can be: what of a program's output stays on it, also when it becomes narrower."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|[\s\S]")


class Screen:
    """Rows of text that wrap, and are wrapped anew when the width changes, as most terminals do.

    Attributes:
        rows: what is on it, from the first row on.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self.rows = [""]
        self._wrapped = [False]  # for each row, whether it goes on in the next one
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Take what a program writes."""
        for token in _TOKEN.finditer(text):
            if token[2] is not None:
                self._control(token[1], token[2])
            elif token[0] == "\r":
                self._column = 0
            elif token[0] == "\n":  # a terminal driver makes \r\n of it
                self._column = 0
                self._down()
            else:
                self._put(token[0])

    def resize(self, width: int) -> None:
        """Become narrower or wider: lines are wrapped anew, and the cursor stays behind the same character."""
        lines: list[str] = [""]
        cursor = (0, 0)
        for number, row in enumerate(self.rows):
            if number == self._row:
                cursor = (len(lines) - 1, len(lines[-1]) + self._column)
            lines[-1] += row
            if not self._wrapped[number]:
                lines.append("")
        lines.pop()
        self._width, self.rows, self._wrapped = width, [], []
        for number, line in enumerate(lines):
            if number == cursor[0]:
                at = max(0, cursor[1] - 1) if cursor[1] == len(line) else cursor[1]
                self._row = len(self.rows) + at // width
                self._column = cursor[1] - at // width * width
            pieces = [line[start : start + width] for start in range(0, max(1, len(line)), width)]
            self.rows += pieces
            self._wrapped += [True] * (len(pieces) - 1) + [False]

    def _put(self, character: str) -> None:
        if self._column >= self._width:
            self._wrapped[self._row] = True
            self._column = 0
            self._down()
        row = self.rows[self._row].ljust(self._column)
        self.rows[self._row] = row[: self._column] + character + row[self._column + 1 :]
        self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.rows):
            self.rows.append("")
            self._wrapped.append(False)

    def _control(self, argument: str, kind: str) -> None:
        times = int(argument) if argument.isdecimal() else 1
        if kind == "A":
            self._row = max(0, self._row - times)
        elif kind == "B":
            self._row = min(len(self.rows) - 1, self._row + times)
        elif kind == "K":
            self.rows[self._row] = "" if argument == "2" else self.rows[self._row][: self._column]
            self._wrapped[self._row] = False
