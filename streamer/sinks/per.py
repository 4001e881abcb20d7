"""What a consumer is handed at a time: a record, or a whole block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from streamer.errors import ConfigurationError
from streamer.results.block import Block
from streamer.results.record import Record

Per: TypeAlias = Literal["record", "block"]


def check_per(per: str) -> None:
    """See that it is one of the two.

    Raises:
        ConfigurationError: it is not.
    """
    if per not in ("record", "block"):
        raise ConfigurationError(f"per must be 'record' or 'block', not {per!r}")


def units(block: Block, per: Per) -> Iterator[Record] | Iterator[Block]:
    """What to hand on of `block`, in order."""
    return block.records() if per == "record" else iter((block,))
