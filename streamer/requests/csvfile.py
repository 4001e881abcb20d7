"""A request file of CSV: the header names the columns, each row makes a request by a template."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from streamer.requests.datarows import ID_COLUMN, DataRow, is_worth_sending
from streamer.requests.locations import Location
from streamer.requests.problems import ProblemLog, shown
from streamer.requests.template import BoundTemplate, ParamsTemplate, TemplateError

LONGEST_FIELD = 32 * 1024 * 1024  # characters; more is a quote that was never closed
_NOT_UTF8 = "this is no UTF-8; save the file as UTF-8 (if it is Windows text: iconv -f WINDOWS-1252 -t UTF-8)"


def read_csv(file: BinaryIO, name: str, problems: ProblemLog, template: ParamsTemplate) -> Iterator[DataRow]:
    """The rows of a CSV file, as requests; those with nothing for the template are left out.

    Args:
        file: where to read, from the beginning, UTF-8.
        name: what the file is called in what is wrong.
        problems: is given what is wrong with the header or a row.
        template: what the params are made by.

    Raises:
        OSError: the file cannot be read.
    """
    # The limit is the process's and 128 KiB by default, less than many an article; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    lines = _TextLines(file)
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    while True:
        location = Location(name, reader.line_num + 1)
        try:
            values = next(reader, None)
        except csv.Error as error:
            problems.add(location, f"this is no CSV, and what comes after it cannot be read: {error}")
            return
        if lines.broken:
            problems.add(Location(name, lines.broken), _NOT_UTF8)
            lines.broken = 0
        elif values is None:
            return
        elif header is None:
            header = values
            try:
                bound = _bound(template, header)
            except TemplateError as error:
                problems.add(location, str(error))
                return
            used = template.columns or header
            positions = [header.index(column) for column in used]
        elif len(values) == len(header):
            cells = [values[at] for at in positions]
            if is_worth_sending(used, cells, location, problems.notices, uses_them=bool(template.columns)):
                fields = dict(zip(header, values, strict=True))
                custom_id = bound.custom_id(values) or fields.get(ID_COLUMN)
                yield DataRow(location, custom_id, bound.fill(values), msgspec.json.encode(fields))
        elif values:  # a blank line is none
            problems.add(location, f"the header has {len(header):,} columns, and this record has {len(values):,}")


def _bound(template: ParamsTemplate, header: list[str]) -> BoundTemplate:
    """The template for this header.

    Raises:
        TemplateError: they do not go together, or it is no header.
    """
    if not header:
        raise TemplateError("the first line must name the columns, and it is blank")
    twice = [shown(column) for column, count in Counter(header).items() if count > 1]
    if twice and not all(column == "''" for column in twice):  # names that are blank are of columns that are, too
        raise TemplateError(f"the header names {', '.join(twice)} more than once")
    return template.for_columns(header)


class _TextLines:
    """The lines as text, one at a time so that the line that is not UTF-8 is known."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._number = 0
        self.broken = 0  # the first line that was not UTF-8 since this was set back

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_FIELD)
        if not line:
            raise StopIteration
        self._number += 1
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.broken = self.broken or self._number
            return line.decode(errors="replace")
