"""A callback that keeps what it was given, for processes that are killed: `--to callback:tests.durability.ledger:keep`.

One line for each record in the file that LEDGER names, appended with one write: a kill leaves all of it or nothing.
"""

from __future__ import annotations

import os
import time
from functools import cache

from streamer.results.record import Record

LEDGER = "STREAMER_TEST_LEDGER"


@cache
def _descriptor() -> int:
    return os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def keep(record: Record) -> None:
    """Note that this record was delivered."""
    os.write(_descriptor(), f"{record.batch_id} {record.custom_id}\n".encode())


def keep_and_hang(record: Record) -> None:
    """Note the record, and be stuck."""
    keep(record)
    time.sleep(3600)
