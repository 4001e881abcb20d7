"""A file of requests, checked line by line for what the API would refuse the whole batch for."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

MAX_REQUESTS = 100_000  # of one batch
MAX_BYTES = 256 * 1024 * 1024  # of one batch's body
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_BODY_BYTES = len(b'{"requests":[]}')


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: str
    params: dict[str, msgspec.Raw]  # the API looks into them later and answers with errored records


_decoder = msgspec.json.Decoder(_Request)


def read_requests(lines: Iterable[bytes], name: str) -> tuple[list[bytes], list[str]]:
    """The requests of one batch, each as its JSON, and everything that is wrong with them.

    Args:
        lines: one request to a line, `{"custom_id": ..., "params": {...}}`; blank lines are skipped.
        name: what the file is called in what is wrong.

    Returns:
        The requests, and a sentence for each fault with file, line and reason; none when the batch can be sent.

    >>> read_requests([b'{"custom_id": "a", "params": {}}', b'{"custom_id": "a", "params": {}}'], "my.jsonl")[1]
    ["my.jsonl, line 2: the custom_id 'a' was used in line 1 already"]
    """
    requests: list[bytes] = []
    faults: list[str] = []
    first_use: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        if not text:
            continue
        requests.append(text)
        try:
            text.decode()
            custom_id = _decoder.decode(text).custom_id
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            faults.append(f"{name}, line {number}: this is no request: {error}")
            continue
        if not CUSTOM_ID.fullmatch(custom_id):
            shown = ascii(custom_id[:80])
            faults.append(
                f"{name}, line {number}: the custom_id {shown} is not 1 to 64 letters, digits, hyphens and underscores"
            )
        elif (used := first_use.setdefault(custom_id, number)) != number:
            faults.append(f"{name}, line {number}: the custom_id {custom_id!r} was used in line {used} already")
    return requests, faults + _too_much(requests, name)


def _too_much(requests: list[bytes], name: str) -> list[str]:
    if not requests:
        return [f"{name} holds no request"]
    faults = []
    if len(requests) > MAX_REQUESTS:
        faults.append(f"{name} holds {len(requests):,} requests, and a batch takes {MAX_REQUESTS:,}: split it")
    size = sum(map(len, requests)) + len(requests) + _BODY_BYTES
    if size > MAX_BYTES:
        faults.append(f"{name} makes a body of {size:,} bytes, and a batch takes {MAX_BYTES:,}: split it")
    return faults
