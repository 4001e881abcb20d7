"""Sentences that many things have in common: the first few are said at once, of the others how many there were."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamer.cli.stdio import say

AT_ONCE = 3  # sentences of a kind that are said as they come
MOST_KINDS = 1000  # of which it is known that they were said before; bounds memory, not what is said
_VARYING = re.compile(r"\breq_\w+|\bmsgbatch_\w+|\d+")  # what differs between sentences of one kind


@dataclass
class _Kind:
    times: int = 0
    last: str = ""


class Repeated:
    """Says sentences, but not hundreds that differ in a number or an id alone."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def say(self, sentence: str, about: str = "") -> None:
        """Say it, unless as many of its kind were said.

        Args:
            sentence: the whole of it.
            about: what varies in it besides numbers and ids, e.g. a path.
        """
        key = _VARYING.sub("#", sentence.replace(about, "#") if about else sentence)
        kind = self._kinds.setdefault(key, _Kind()) if len(self._kinds) < MOST_KINDS else self._kinds.get(key, _Kind())
        kind.times += 1
        kind.last = sentence
        if kind.times <= AT_ONCE:
            say(sentence)

    def say_rest(self) -> None:
        """Say how many were not said, a line for each kind with an example; then begin anew."""
        kinds, self._kinds = self._kinds, {}
        for kind in kinds.values():
            if (unsaid := kind.times - AT_ONCE) == 1:
                say(kind.last)
            elif unsaid > 1:
                say(f"{unsaid:,} more like these, the last of them: {kind.last}")
