"""Spools and ledgers as a submission has them."""

from __future__ import annotations

from pathlib import Path

from streamer.requests.slices import Slice, split
from streamer.submission.ledger import Ledger

NAME = "requests.jsonl"
PARAMS = '{"model":"claude-opus-5-5","max_tokens":16,"messages":[{"role":"user","content":"hi"}]}'


def lines(*custom_ids: str) -> list[bytes]:
    """The lines of a spool."""
    return [b'{"custom_id":"%s","params":%s}\n' % (custom_id.encode(), PARAMS.encode()) for custom_id in custom_ids]


def write(directory: Path, *custom_ids: str, name: str = NAME, each: int = 2) -> list[Slice]:
    """Write a spool; its slices of `each` requests."""
    spool = lines(*custom_ids)
    (directory / name).write_bytes(b"".join(spool))
    return list(split(map(len, spool), max_requests=each))


def planned(directory: Path, *custom_ids: str, each: int = 2, at: float | None = None) -> Ledger:
    """A ledger with batches of `each` requests planned."""
    ledger = Ledger(directory)
    ledger.plan(1, NAME, "digest", write(directory, *custom_ids, each=each), at=at)
    return ledger
