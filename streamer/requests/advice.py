"""Whether the prompt cache would help: which beginnings of prompts come again, and whether they are marked for it."""

from __future__ import annotations

from typing import Literal

import msgspec

from streamer.requests.prompt import Params


class Advice(msgspec.Struct, frozen=True):
    """What could be had from the prompt cache and is not."""

    kind: Literal["unmarked", "differs"]


class Adviser:
    """Looks at requests one by one."""

    def add(self, params: Params) -> None:
        """One more request."""

    def advice(self) -> list[Advice]:
        """What to tell, the most worth first."""
        return []
