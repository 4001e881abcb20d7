"""A place in a body: how it is written, and where that is once the size is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Self

_SIZE = re.compile(r"(\d{1,15})([kmg]?)", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def size(text: str) -> int:
    """A number of bytes; k, m and g are KiB, MiB and GiB.

    >>> size("64k")
    65536

    Raises:
        ValueError: not of that form.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a number of bytes such as 500, 64k or 2g")
    return int(found[1]) * _FACTORS[found[2].lower()]


class Unit(Enum):
    """What an offset counts."""

    HEAD = "head"  # before the first byte of the headers
    BYTES = "bytes"  # bytes of the body
    SHARE = "share"  # a share of the body, from 0 to 1
    RANDOM = "random"  # a share that is drawn for every answer


@dataclass(frozen=True, slots=True)
class Offset:
    """A place in a body, counted in bytes as they are sent, chunk framing not included."""

    unit: Unit
    value: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `head`, `random`, a number of bytes, or a percentage.

        >>> Offset.parse("12.5%").at(1000)
        125

        Raises:
            ValueError: none of these.
        """
        if text in ("head", "random"):
            return cls(Unit(text))
        if not text.endswith("%"):
            try:
                return cls(Unit.BYTES, size(text))
            except ValueError:
                raise ValueError(f"{text!r} is no place in a body: write 1000, 64k, 50%, random or head") from None
        try:
            share = float(text[:-1]) / 100
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise ValueError(f"{text!r} is no percentage from 0% to 100%")
        return cls(Unit.SHARE, share)

    @property
    def needs_size(self) -> bool:
        """Whether it can only be found in a body whose size is known."""
        return self.unit is Unit.SHARE

    def at(self, size: int | None) -> int:
        """The number of bytes before this place, in a body of `size` bytes (None: not known, nor needed)."""
        if self.unit is Unit.BYTES:
            return int(self.value)
        assert self.unit is Unit.SHARE  # noqa: S101 - `random` is drawn by the script, and `head` is before the body
        assert size is not None  # noqa: S101 - the body was measured: see needs_size
        return int(self.value * size)

    def later(self, step: Offset, times: int) -> Offset | None:
        """This place moved on by `times` steps of the same unit; None where that is the end of any body, or past it.

        >>> Offset.parse("10%").later(Offset.parse("40%"), 2)
        Offset(unit=<Unit.SHARE: 'share'>, value=0.9)
        """
        value = self.value + step.value * times
        if self.unit is Unit.SHARE and times and value > 1 - 1e-9:  # steps of 5 % do not sum to 1 exactly
            return None
        return Offset(self.unit, value)
