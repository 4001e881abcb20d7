"""How things are written for people and for programs; nothing a server says can drive the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from streamer.api.masking import escaped


def json_line(value: Any) -> str:
    """A value as one line of JSON in plain ASCII: no character of it means anything to a terminal.

    Takes what msgspec takes: structs, dates, enums.
    """
    import msgspec

    return json.dumps(msgspec.to_builtins(value)).replace("\x7f", "\\u007f")


def plural(n: int, noun: str) -> str:
    """A number with its noun.

    >>> plural(1, "batch"), plural(1200, "batch"), plural(2, "retry"), plural(3, "record")
    ('1 batch', '1,200 batches', '2 retries', '3 records')
    """
    if n == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{n:,} {noun[:-1]}ies"
    return f"{n:,} {noun}" + ("es" if noun.endswith("ch") else "s")


def size(n: float) -> str:
    """Bytes for people, in decimal units.

    >>> size(999), size(1_500_000), size(2e9)
    ('999 B', '1.5 MB', '2.0 GB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= scale:
            return f"{n / scale:.1f} {unit}"
    return f"{n:.0f} B"


def dollars(usd: Decimal) -> str:
    """An amount for people, rounded to a hundredth of a cent.

    >>> dollars(Decimal("1234.56785")), dollars(Decimal("0.00001")), dollars(Decimal(0))
    ('$1,234.5678', '<$0.0001', '$0.0000')
    """
    return "<$0.0001" if 0 < usd < Decimal("0.0001") else f"${usd:,.4f}"


def span(seconds: float) -> str:
    """A length of time for people.

    >>> span(4.04), span(75), span(86_000)
    ('4.0 s', '1 min 15 s', '23 h 53 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(when: datetime | None) -> str:
    """A time for people, to the minute, in UTC.

    >>> moment(None)
    '-'
    """
    return "-" if when is None else f"{when:%Y-%m-%d %H:%M}"


def by_type(records: Mapping[str, int]) -> str:
    """Records by type, most first, without types that there are none of.

    >>> by_type({"errored": 2, "succeeded": 1000, "expired": 0})
    '1,000 succeeded, 2 errored'
    """
    counts = sorted(((n, name) for name, n in records.items() if n), key=lambda pair: (-pair[0], pair[1]))
    return ", ".join(f"{n:,} {escaped(name)}" for n, name in counts)
