"""Chosen fields of a request, to stand beside its answer: `params.model`, `params.messages.0.content`, data columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from streamer.answers.asked import Asked
from streamer.errors import ConfigurationError
from streamer.requests.datarows import at_path
from streamer.results.record import lenient_loads

_OF_A_REQUEST = ("custom_id", "params")


class Fields:
    """Gives the JSON object of the chosen fields of a request, by the names they were asked for.

    Args:
        names: dotted paths into the request, or columns of the data it was made of: of CSV the header's, of JSON its
            keys, or dotted paths into it. A column wins where both could be meant. A field that a request does not have
            is null.
        first: the first of the requests, whose columns all of them have; None when there is none.

    Raises:
        ConfigurationError: a name that can be neither.

    >>> fields = Fields(["params.model"], None)
    >>> fields.of(Asked("a", b'{"custom_id":"a","params":{"model":"claude-haiku-5-5"}}'))
    b'{"params.model":"claude-haiku-5-5"}'
    """

    def __init__(self, names: Sequence[str], first: Asked | None) -> None:
        self._names = names
        columns = {} if first is None or first.columns is None else _decoded(first.columns, first)
        for name in names:
            if name not in columns and name.split(".")[0] not in (*columns, *_OF_A_REQUEST):
                what = f"a column ({', '.join(sorted(columns))})" if columns else "custom_id"
                raise ConfigurationError(
                    f"there is no field {name!r}: name {what} or a path into the request, e.g. params.model"
                )

    def of(self, asked: Asked) -> bytes:
        """The object of one request.

        Raises:
            ConfigurationError: the request cannot be read.
        """
        columns = {} if asked.columns is None else _decoded(asked.columns, asked)
        request: dict[str, Any] | None = None
        chosen = {}
        for name in self._names:
            if name in columns:
                chosen[name] = columns[name]
                continue
            path = name.split(".")
            if path[0] in columns:
                chosen[name] = at_path(columns, path)
                continue
            if request is None:
                request = _decoded(asked.line, asked)
            chosen[name] = at_path(request, path)
        return msgspec.json.encode(chosen)


def _decoded(line: bytes, asked: Asked) -> dict[str, Any]:
    """A request, or its columns, as a dict."""
    reason = "it is no object"
    try:
        decoded = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        try:
            decoded = lenient_loads(line)
        except (ValueError, RecursionError) as error:
            decoded, reason = None, str(error)
    if not isinstance(decoded, dict):
        raise ConfigurationError(
            f"the request {asked.custom_id!r} cannot be read ({reason}), so nothing of it can stand beside its answer; "
            "look at it where the requests are, or leave the fields out"
        )
    return decoded
