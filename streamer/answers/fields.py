"""Chosen fields of a request, to stand beside its answer: `params.model`, `params.messages.0.content`, CSV columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from streamer.api.errors import ConfigurationError
from streamer.results.record import lenient_loads

_OF_A_REQUEST = ("custom_id", "params")


def at_path(value: Any, path: Sequence[str]) -> Any:
    """What is at a path of keys and of places in lists; None where there is nothing.

    >>> at_path({"messages": [{"content": "hi"}]}, ["messages", "0", "content"])
    'hi'
    >>> at_path({"messages": []}, ["messages", "0", "content"]) is None
    True
    """
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


class Fields:
    """Gives for each request, in order, the JSON object of its chosen fields, by the names they were asked for.

    Args:
        names: dotted paths into the request, or columns of the CSV file it came from. A column wins where both could
            be meant. A field that a request does not have is null.
        columns: the file with the CSV record of each request as a line of JSON; None when there was no CSV.

    Raises:
        ConfigurationError: a name that can be neither.
    """

    def __init__(self, names: Sequence[str], columns: Path | None = None) -> None:
        self._names = names
        self._columns = columns
        known = self._known_columns()
        for name in names:
            if name not in known and name.split(".")[0] not in _OF_A_REQUEST:
                there = f"a column ({', '.join(sorted(known))})" if columns is not None else "custom_id"
                raise ConfigurationError(
                    f"there is no field {name!r}: name {there} or a path into the request, e.g. params.model"
                )

    def objects(self) -> Iterator[_Chooser]:
        """For each request, in order, what makes its object."""
        if self._columns is None:
            chooser = _Chooser(self._names, {})
            while True:
                yield chooser
        try:
            with self._columns.open("rb") as file:
                for line in file:
                    yield _Chooser(self._names, _decoded(line))
        except OSError as error:
            raise ConfigurationError(f"{self._columns} cannot be read: {error.strerror}") from error

    def _known_columns(self) -> frozenset[str]:
        if self._columns is None:
            return frozenset()
        try:
            with self._columns.open("rb") as file:
                return frozenset(_decoded(file.readline() or b"{}"))
        except OSError as error:
            raise ConfigurationError(f"{self._columns} cannot be read: {error.strerror}") from error


class _Chooser:
    """Chooses the fields of one request."""

    def __init__(self, names: Sequence[str], columns: dict[str, Any]) -> None:
        self._names = names
        self._columns = columns

    def of(self, line: bytes) -> bytes:
        """The JSON object of the fields of the request in `line`."""
        request: dict[str, Any] | None = None
        chosen = {}
        for name in self._names:
            if name in self._columns:
                chosen[name] = self._columns[name]
                continue
            if request is None:
                request = _decoded(line)
            chosen[name] = at_path(request, name.split("."))
        return msgspec.json.encode(chosen)


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        decoded: dict[str, Any] = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        decoded = lenient_loads(line)
    return decoded
