"""Ids that look like the API's, and numbers that look random, computed instead of stored.

A workspace numbers its batches. A number becomes an id by an affine map modulo 58**22 and comes back by the
inverse map, so a workspace of 100,000 batches needs no table, and an id of another workspace decodes to a number
that is far out of range.
"""

from __future__ import annotations

import hashlib

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_BASE58)}
_PAIRS = [first + second for first in _BASE58 for second in _BASE58]  # two digits at a time: this is a hot spot
_LENGTH = 22  # characters after the `01` that all of the API's ids begin with
_MODULUS: int = 58**_LENGTH
_MASK = (1 << 64) - 1

PREFIX = "msgbatch_"


def mixed(*numbers: int) -> int:
    """64 bits that depend on all the numbers; the same on every machine (splitmix64's finaliser)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def unit(*numbers: int) -> float:
    """A number from 0 up to 1 that depends on all the numbers."""
    return mixed(*numbers) / (_MASK + 1)


def base58(number: int, length: int = _LENGTH) -> str:
    """`number` in the alphabet of the API's ids, its last `length` digits."""
    pairs = []
    for _ in range(-(-length // 2)):
        number, pair = divmod(number, 3364)
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs)[-length:]


def token(prefix: str, *numbers: int) -> str:
    """An id such as `req_01...` that depends on all the numbers."""
    return f"{prefix}01{base58(mixed(*numbers) << 64 | mixed(*numbers, 1))}"


class BatchIds:
    """Numbers to batch ids and back, different for each seed and workspace.

    >>> ids = BatchIds(seed=0, workspace="")
    >>> ids.number(ids.id(5)), ids.number("msgbatch_nonsense")
    (5, None)
    """

    def __init__(self, seed: int, workspace: str) -> None:
        digest = hashlib.blake2b(f"{seed}/{workspace}".encode(), digest_size=64).digest()
        factor = int.from_bytes(digest[:32], "big") % _MODULUS
        while factor % 2 == 0 or factor % 29 == 0:  # 58 is 2 * 29: anything else has an inverse
            factor += 1
        self._factor = factor
        self._offset = int.from_bytes(digest[32:], "big") % _MODULUS
        self._inverse: int = pow(factor, -1, _MODULUS)

    def id(self, number: int) -> str:
        """The id of a batch."""
        return f"{PREFIX}01{base58((number * self._factor + self._offset) % _MODULUS)}"

    def number(self, batch_id: str) -> int | None:
        """The number of a batch; None when the text is no batch id at all."""
        body = batch_id.removeprefix(PREFIX + "01")
        if len(body) != _LENGTH or len(batch_id) != len(PREFIX) + 2 + _LENGTH:
            return None
        value = 0
        for character in body:
            digit = _DIGITS.get(character)
            if digit is None:
                return None
            value = value * 58 + digit
        return ((value - self._offset) * self._inverse) % _MODULUS
