"""Params with placeholders, filled from rows of data: the columns of a CSV file, or the keys of JSON objects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import msgspec

from streamer.errors import ConfigurationError
from streamer.requests.problems import shown

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"(?=(\s*:)?)')
_BRACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class TemplateError(ConfigurationError):
    """A template that cannot be used; the message is the reason."""


class ParamsTemplate:
    r"""Params as JSON, whose strings hold `{column}`; a brace that is meant as such is doubled.

    It may be a whole request as well, `{"custom_id": "article-{id}", "params": {...}}`: then it makes the ids, too.

    What stands for a column is looked up by its name and nothing else, and what comes from the file stays inside the
    string it is put into, whatever it holds. Everything outside strings is kept byte for byte.

    Args:
        text: the JSON.

    Raises:
        TemplateError: it is no JSON object, or a brace stands alone.

    >>> template = ParamsTemplate(b'{"system": "{{JSON}} only", "messages": [{"content": "Sum up: {article}"}]}')
    >>> template.for_columns(["id", "article"]).fill(["7", 'He said "no"'])
    b'{"system":"{JSON} only","messages":[{"content":"Sum up: He said \\"no\\""}]}'
    """

    def __init__(self, text: bytes) -> None:
        try:
            whole = msgspec.json.format(text.removeprefix(b"\xef\xbb\xbf"), indent=-1).decode()
            given = msgspec.json.decode(whole, type=dict[str, msgspec.Raw])
            custom_id = None
            if given.keys() == {"custom_id", "params"}:
                custom_id = msgspec.json.decode(given["custom_id"], type=str)
                whole = bytes(given["params"]).decode()
        except (ValueError, RecursionError) as error:
            raise TemplateError(f"the template must be params as a JSON object: {error}") from None
        self._id_parts = None if custom_id is None else _pieces(custom_id)
        self._parts: list[str] = []  # JSON, then the name of a column, in turn
        pending = ""
        end = 0
        for string in _STRING.finditer(whole):
            if string[1] is not None:  # a key
                continue
            pending += whole[end : string.start()] + '"'
            for literal, column in _pieces(json.loads(string[0])):
                pending += json.dumps(literal, ensure_ascii=False)[1:-1]
                if column is not None:
                    self._parts += [pending, column]
                    pending = ""
            pending += '"'
            end = string.end()
        self._parts.append(pending + whole[end:])

    @property
    def columns(self) -> list[str]:
        """The columns that the params are made of, each once, in the order of their first use."""
        return list(dict.fromkeys(self._parts[1::2]))

    @property
    def all_columns(self) -> list[str]:
        """Those, and the ones that the custom_id is made of."""
        of_the_id = [column for _, column in self._id_parts or () if column is not None]
        return list(dict.fromkeys([*self.columns, *of_the_id]))

    def for_columns(self, header: Sequence[str]) -> BoundTemplate:
        """The template for files with these columns.

        Raises:
            TemplateError: one that it needs is not among them.
        """
        positions: Mapping[str, int] = {name: position for position, name in enumerate(header)}
        missing = [column for column in self.all_columns if column not in positions]
        if missing:
            raise TemplateError(
                f"the template names {', '.join(map(shown, missing))}, and the columns are "
                + ", ".join(map(shown, header))
                + _hint(missing, header)
            )
        ids: list[tuple[str, int | None]] | None = None
        if self._id_parts is not None:
            ids = [(literal, None if name is None else positions[name]) for literal, name in self._id_parts]
        return BoundTemplate(
            [part.encode() for part in self._parts[::2]], [positions[name] for name in self._parts[1::2]], ids
        )


class BoundTemplate:
    """A template that knows where its columns are."""

    def __init__(
        self,
        literals: Sequence[bytes],
        positions: Sequence[int],
        id_parts: Sequence[tuple[str, int | None]] | None = None,
    ) -> None:
        self._literals = literals
        self._positions = positions
        self._id_parts = id_parts
        self._encode = msgspec.json.Encoder().encode

    def fill(self, values: Sequence[str]) -> bytes:
        """The params of one request, from the values of its record in the order of the header."""
        parts = [self._literals[0]]
        for position, literal in zip(self._positions, self._literals[1:], strict=True):
            parts += [self._encode(values[position])[1:-1], literal]
        return b"".join(parts)

    def custom_id(self, values: Sequence[str]) -> str | None:
        """The custom_id of one request; None when the template does not make it."""
        if self._id_parts is None:
            return None
        return "".join(text + ("" if position is None else values[position]) for text, position in self._id_parts)


def _hint(missing: Sequence[str], header: Sequence[str]) -> str:
    """What the mistake most likely is, where that can be seen."""
    if len(header) == 1 and header[0].lower().startswith("sep="):
        mark = header[0][4:5] or ";"
        return f"; the first line is for spreadsheets only, and columns are separated by commas{_with_commas(mark, 1)}"
    if len(header) == 1 and (mark := next((mark for mark in ";\t|" if mark in header[0]), "")):
        return f"; columns are separated by commas{_with_commas(mark, 0)}"
    if any(mark in name for name in missing for mark in '":,'):
        return "; braces that are meant as such are doubled: {{ and }}"
    for column in missing:
        for name in header:
            if name.strip().lstrip("\ufeff") == column.strip():
                return f"; {shown(name)} has white space around it: take it out of the header"
            if name.casefold() == column.casefold():
                return f"; {shown(name)} is written otherwise than {shown(column)}: the two must be alike"
    near = get_close_matches(missing[0], header, n=1)
    return f"; is it {shown(near[0])}?" if near else ""


def _with_commas(mark: str, skipped: int) -> str:
    """The command that makes it so."""
    lines = "r" if not skipped else f"r[{skipped}:]"
    mark = "\\t" if mark == "\t" else mark
    return (
        f': python3 -c \'import csv, sys; r = list(csv.reader(sys.stdin, delimiter="{mark}")); '
        f"csv.writer(sys.stdout).writerows({lines})' < old.csv > new.csv"
    )


def _pieces(text: str) -> list[tuple[str, str | None]]:
    """A string of the template as literal text, each piece with the column that follows it; the last with None."""
    pieces: list[tuple[str, str | None]] = []
    literal = ""
    end = 0
    for brace in _BRACE.finditer(text):
        literal += text[end : brace.start()]
        end = brace.end()
        if brace[0] in ("{{", "}}"):
            literal += brace[0][0]
        elif brace[1] is not None:
            pieces.append((literal, brace[1]))
            literal = ""
        else:
            raise TemplateError(
                f"a single {brace[0]} in {shown(text)}: braces go around the name of a column, "
                f"and one that is meant as such is doubled"
            )
    return [*pieces, (literal + text[end:], None)]
