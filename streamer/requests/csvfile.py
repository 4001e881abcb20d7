"""A request file of CSV: the header names the columns, each record makes a request by a template."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import msgspec

from streamer.requests.problems import Location, ProblemLog, shown
from streamer.requests.template import ParamsTemplate, TemplateError

ID_COLUMN = "custom_id"  # if there is one it gives the ids
LONGEST_FIELD = 32 * 1024 * 1024  # characters; more is a quote that was never closed


class CsvRecord(NamedTuple):
    """One record of a CSV file."""

    place: Location
    custom_id: str | None  # None when the file has no such column
    params: bytes
    fields: bytes  # the whole record as a JSON object


def read_csv(file: BinaryIO, name: str, problems: ProblemLog, template: ParamsTemplate) -> Iterator[CsvRecord]:
    """The records of a CSV file, as requests.

    Args:
        file: where to read, from the beginning, UTF-8.
        name: what the file is called in what is wrong.
        problems: told of what is wrong with the header or a record.
        template: what the params are made by.

    Raises:
        OSError: the file cannot be read.
    """
    # The limit is the process's and 128 KiB unless told, less than many an article; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    lines = _TextLines(file)
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    while True:
        place = Location(name, reader.line_num + 1)
        try:
            values = next(reader, None)
        except csv.Error as error:
            problems.request(place, f"this is no CSV, and what comes after it cannot be read: {error}")
            return
        if lines.broken:
            problems.request(Location(name, lines.broken), "this is no UTF-8; save the file as UTF-8")
            lines.broken = 0
        elif values is None:
            return
        elif header is None:
            header = values
            reason = _wrong_header(header)
            try:
                bound = template.for_columns(header)
            except TemplateError as error:
                reason = reason or str(error)
            if reason:
                problems.request(place, reason)
                return
        elif len(values) == len(header):
            fields = dict(zip(header, values, strict=True))
            yield CsvRecord(place, fields.get(ID_COLUMN), bound.fill(values), msgspec.json.encode(fields))
        elif values:  # a blank line is none
            problems.request(place, f"the header has {len(header):,} columns, and this record has {len(values):,}")


def _wrong_header(header: list[str]) -> str:
    if not header:
        return "the first line must name the columns, and it is blank"
    if header[0].lstrip().startswith(("{", "[")):
        return "this begins like JSON, and a template is for CSV: leave it out (--template)"
    twice = [shown(column) for column, count in Counter(header).items() if count > 1]
    return f"the header names {', '.join(twice)} more than once" if twice else ""


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
