"""Rows of data, of which a template makes requests: what is common to those of CSV and of JSON, and those of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from streamer.requests.check import not_json
from streamer.requests.jsontext import has_line_break, not_utf8
from streamer.requests.locations import Location
from streamer.requests.problems import Notices, ProblemLog, shown
from streamer.requests.template import ParamsTemplate

ID_COLUMN = "custom_id"  # if there is one it gives the ids
_DIGITS = 9  # no list is longer, and of thousands of digits Python makes no number


class DataRow(NamedTuple):
    """One row, made into a request."""

    location: Location
    custom_id: str | None  # None when neither the template nor a column of that name gives one
    params: bytes
    fields: bytes  # the whole row as a JSON object


def is_worth_sending(
    columns: Sequence[str], values: Sequence[str], location: Location, notices: Notices, *, uses_them: bool = True
) -> bool:
    """Whether a row has something for the template; what it lacks is noted.

    A spreadsheet leaves thousands of rows behind in which nothing stands: they would be paid for.

    Args:
        columns: those that the params are made of; all there are where they are made of none.
        values: what the row has there.
        location: where it stands.
        notices: is given what is left out, or sent without a value.
        uses_them: whether the params are made of these columns.
    """
    blank = [column for column, value in zip(columns, values, strict=True) if not value or value.isspace()]
    if not blank:
        return True
    if len(blank) == len(columns):
        names = ", ".join(map(shown, columns))
        notices.add("row", f"left out, with no value in {names}", location)
        return False
    for column in blank if uses_them else ():
        notices.add("row", f"sent with no value in {shown(column)}", location)
    return True


def read_json_rows(
    objects: Iterable[tuple[Location, bytes | bytearray]], problems: ProblemLog, template: ParamsTemplate
) -> Iterator[DataRow]:
    """The rows of a file of JSON objects, as requests.

    A placeholder is a key, or a path of keys and of positions in lists, e.g. `author.name` or `tags.0`. A value that is
    no string is put in as JSON, and null as nothing.

    Args:
        objects: each with its location.
        problems: is given what is wrong.
        template: what the params are made by.
    """
    columns = template.all_columns
    used = len(template.columns)
    bound = template.for_columns(columns)
    for location, raw in objects:
        text = bytes(raw)
        try:
            if reason := not_utf8(text):
                problems.add(location, reason)
                continue
            data = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
            found = {column: _text_at(data, column) for column in columns}
            given_id = _text_at(data, ID_COLUMN)
        except msgspec.ValidationError:
            problems.add(location, "a row of data is a JSON object, and this is none")
            continue
        except (msgspec.DecodeError, RecursionError) as error:
            problems.add(location, not_json(error, text))
            continue
        missing = [column for column, value in found.items() if value is None]
        if missing:
            problems.add(location, _lacks(missing, data))
            continue
        values = [value or "" for value in found.values()]
        if is_worth_sending(columns[:used], values[:used], location, problems.notices):
            fields = msgspec.json.format(text, indent=-1) if has_line_break(text) else text
            yield DataRow(location, bound.custom_id(values) or given_id, bound.fill(values), fields)


def at_path(value: Any, path: Sequence[str]) -> Any:
    """What is at a path of keys and of positions in lists; None where there is nothing.

    >>> at_path({"messages": [{"content": "hi"}]}, ["messages", "0", "content"])
    'hi'
    >>> at_path({"messages": []}, ["messages", "0", "content"]) is None
    True
    """
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and len(step) <= _DIGITS and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _text_at(data: dict[str, msgspec.Raw], column: str) -> str | None:
    """The value of a column as text; None where there is none."""
    raw = data.get(column)
    if raw is None and "." in column:
        first, *rest = column.split(".")
        if first not in data:
            return None
        inner: Any = data[first]
        for step in rest:
            inner = at_path(msgspec.json.decode(inner, type=_LEVEL), [step])
            if inner is None:
                return None
        raw = inner
    if raw is None:
        return None
    text = bytes(raw)
    if text.startswith(b'"'):
        return msgspec.json.decode(text, type=str)
    if text == b"null":
        return ""
    return (msgspec.json.format(text, indent=-1) if has_line_break(text) else text).decode()


_LEVEL: Any = dict[str, msgspec.Raw] | list[msgspec.Raw] | str | int | float | None


def _lacks(missing: Sequence[str], data: dict[str, msgspec.Raw]) -> str:
    """What is to be said of a row without what the template needs."""
    if data.keys() == {"custom_id", "params"}:
        return "this is a request already, and a template makes requests of data: leave it out (--template)"
    lists = [key for key, value in data.items() if memoryview(value)[0] == ord("[")]
    if len(data) - len(lists) <= 2 and len(lists) == 1:
        return f"this is one object with the rows in {shown(lists[0])}: take them out: jq '.[\"{lists[0]}\"]'"
    names = ", ".join(map(shown, list(data)[:20]))
    return f"the template names {', '.join(map(shown, missing))}, and this row has {names or 'nothing'}"
