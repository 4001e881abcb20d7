r"""Sniffing: the custom_id and type of records of the usual shape, read from the first bytes of each.

A parse looks at every byte of a record to tell two words at its beginning, and costs four times as much. So where only
ids and types are wanted, each line is held against the shape in which the API writes every record; one that differs in
a single character is not guessed at, and the whole block is parsed instead.

What this cannot see is damage between a record's first bytes and its last three: such a record is passed on as it is.
"""

from __future__ import annotations

import re
from io import BytesIO
from operator import itemgetter

from streamer.results.record import HEAD, HeadResult

#: One object for all records of a type, as nothing more is known of them.
_BARE = {name: HeadResult(name) for name in ("succeeded", "canceled", "expired")}
_SUCCEEDED = _BARE["succeeded"]

# The beginnings of all lines are searched together, each after a newline. A newline inside one is followed by another,
# so as many are found as there are lines only if the beginning of each is usual.
_LONGEST = 121  # bytes of a beginning: the longest that can be usual, of a success with an id of 64 characters
_USUAL = re.compile('\n{"custom_id":"([a-zA-Z0-9_-]{1,64})","result":{"type":"succeeded","message":{"')
_KNOWN = re.compile(
    '\n{"custom_id":"([a-zA-Z0-9_-]{1,64})","result":{"type":"'
    '(succeeded(?=","message":{")|errored(?=","error":{")|canceled(?="}}\n)|expired(?="}}\n))'
)
_beginning = itemgetter(slice(_LONGEST))
_last, _before = itemgetter(-2), itemgetter(-3)  # the last byte is the newline
_BRACE = {ord("}")}


def sniff(data: bytes) -> tuple[list[str], list[HeadResult]] | None:
    r"""The custom_ids and results of the records in `data`, whole lines of which each must be of the usual shape.

    Returns:
        A result for each id, with the type alone, or for an errored record with its error; None when any line is not
        of that shape.

    >>> sniff(b'{"custom_id":"a","result":{"type":"expired"}}\n{"custom_id":"b","result":{"type":"canceled"}}\n')
    (['a', 'b'], [HeadResult(type='expired', ...), HeadResult(type='canceled', ...)])
    >>> sniff(b'{"custom_id": "a", "result": {"type": "expired"}}\n') is None
    True
    """
    lines = [data] if data.find(b"\n") == len(data) - 1 else BytesIO(data).readlines()
    try:
        if not data.endswith(b"\n") or set(map(_last, lines)) != _BRACE or set(map(_before, lines)) != _BRACE:
            return None
    except IndexError:  # a line too short for that
        return None
    # Latin-1 maps each byte to one character, whatever it is; what is taken of it is ASCII.
    beginnings = "\n" + b"\n".join(map(_beginning, lines)).decode("latin-1")
    ids: list[str] = _USUAL.findall(beginnings)
    if len(ids) == len(lines):
        return ids, [_SUCCEEDED] * len(ids)
    found: list[tuple[str, str]] = _KNOWN.findall(beginnings)
    if len(found) != len(lines):
        return None
    try:
        results = [
            _BARE[kind] if kind in _BARE else HEAD.decode(line).result
            for line, (_, kind) in zip(lines, found, strict=True)
        ]
    except (ValueError, RecursionError):
        return None
    return [custom_id for custom_id, _ in found], results
