"""`--ids-from`: batch ids from a file or from another command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from streamer.api.secret import refuse_key
from streamer.errors import ConfigurationError


def read_ids(path: str) -> list[str]:
    """The ids in a file; `-` is stdin.

    Raises:
        ConfigurationError: it cannot be read, or holds what can be no list of ids.
    """
    name = "stdin" if path == "-" else path
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return ids_in(data.decode("utf-8-sig"), name)
    except OSError as error:
        raise ConfigurationError(f"the ids cannot be read from {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"the ids cannot be read from {name}: it is not UTF-8 text") from None


def ids_in(text: str, name: str) -> list[str]:
    r"""The ids in `text`: one a line, or lines of JSON objects with an `id` (or `batch_id`, as in `run --json`).

    Blank lines and lines that begin with `#` are skipped.

    >>> ids_in('# mine\nmsgbatch_1\n\n{"id": "msgbatch_2"}', "ids.txt")
    ['msgbatch_1', 'msgbatch_2']

    Raises:
        ConfigurationError: a line of JSON without an id, or with a key; `name` and the line are in the message.
    """
    ids = []
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        refuse_key(line, f"{name}, line {number},")
        if line.startswith("{"):
            ids.append(_id_of(line, f"{name}, line {number}"))
        elif line and not line.startswith("#"):
            ids.append(line)
    return ids


def _id_of(line: str, where: str) -> str:
    try:
        document = json.loads(line)
    except ValueError as error:
        raise ConfigurationError(f"{where}: it begins like JSON but is none: {error}") from None
    found = document.get("id", document.get("batch_id"))
    if not isinstance(found, str):
        raise ConfigurationError(f"{where}: the JSON has no id")
    return found
