"""What a file of results holds, in a few numbers: enough to see later that it is not what it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

import msgspec

_BYTES = 8  # of a custom_id's digest


class Contents(msgspec.Struct, frozen=True):
    """What a file of results holds.

    Attributes:
        types: records by type.
        ids: a digest of their custom_ids, each as often as it is there, whatever their order.
    """

    types: dict[str, int]
    ids: str

    @property
    def records(self) -> int:
        """How many records there are."""
        return sum(self.types.values())


class Counting:
    """Counts what goes by.

    >>> one, other = Counting(), Counting()
    >>> one.add(["a", "b"], ["succeeded", "errored"])
    >>> other.add(["b", "a"], ["succeeded", "errored"])
    >>> one.contents() == other.contents()
    True
    """

    def __init__(self) -> None:
        self._types: Counter[str] = Counter()
        self._ids = 0

    def add(self, custom_ids: Iterable[str], types: Iterable[str]) -> None:
        """Some records."""
        self._types.update(types)
        self._ids += sum(map(_number, custom_ids))

    def contents(self) -> Contents:
        """All so far."""
        return Contents(dict(self._types), _text(self._ids))


def digest_of_ids(custom_ids: Iterable[str]) -> str:
    """The digest of custom_ids that `Contents.ids` is, for those of requests."""
    return _text(sum(map(_number, custom_ids)))


def _text(total: int) -> str:
    return f"{total % (1 << 8 * _BYTES):016x}"


def _number(custom_id: str) -> int:
    return int.from_bytes(blake2b(custom_id.encode(), digest_size=_BYTES).digest())
