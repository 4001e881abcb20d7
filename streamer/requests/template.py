"""Params with placeholders, filled from the columns of a CSV file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import msgspec

from streamer.errors import ConfigurationError
from streamer.requests.problems import shown

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"(?=(\s*:)?)')
_BRACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class TemplateError(ConfigurationError):
    """A template that cannot be used; the message is the reason."""


class ParamsTemplate:
    r"""Params as JSON, whose strings hold `{column}`; a brace that is meant as such is doubled.

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
            msgspec.json.decode(whole, type=dict[str, msgspec.Raw])
        except (ValueError, RecursionError) as error:
            raise TemplateError(f"the template must be params as a JSON object: {error}") from None
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
        """The columns it needs, each once, in the order of their first use."""
        return list(dict.fromkeys(self._parts[1::2]))

    def for_columns(self, header: Sequence[str]) -> BoundTemplate:
        """The template for files with these columns.

        Raises:
            TemplateError: one that it needs is not among them.
        """
        places: Mapping[str, int] = {name: place for place, name in enumerate(header)}
        missing = [shown(column) for column in self.columns if column not in places]
        if missing:
            raise TemplateError(
                f"the template names {', '.join(missing)}, and the columns are {', '.join(map(shown, header))}"
                + _hint(missing, header)
            )
        return BoundTemplate([part.encode() for part in self._parts[::2]], [places[n] for n in self._parts[1::2]])


class BoundTemplate:
    """A template that knows where its columns are."""

    def __init__(self, literals: Sequence[bytes], places: Sequence[int]) -> None:
        self._literals = literals
        self._places = places
        self._encode = msgspec.json.Encoder().encode

    def fill(self, values: Sequence[str]) -> bytes:
        """The params of one request, from the values of its record in the order of the header."""
        parts = [self._literals[0]]
        for place, literal in zip(self._places, self._literals[1:], strict=True):
            parts += [self._encode(values[place])[1:-1], literal]
        return b"".join(parts)


def _hint(missing: Sequence[str], header: Sequence[str]) -> str:
    """What the mistake most likely is, where that can be told."""
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        return "; columns are separated by commas"
    if any(mark in name for name in missing for mark in '":,'):
        return "; braces that are meant as such are doubled: {{ and }}"
    return ""


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
