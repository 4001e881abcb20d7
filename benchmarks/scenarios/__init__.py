"""The questions that are asked, one file for each; a scenario is a function of the `Stage`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from benchmarks.bodies import Bodies
from benchmarks.contenders import Entrant
from benchmarks.measure import Bench

QUICK_SHARE = 4  # a quick run takes a fourth of the records


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What scenarios work with.

    Attributes:
        bench: runs contenders.
        bodies: what the results server serves.
        quick: ask less.
        extra: contenders from the command line.
    """

    bench: Bench
    bodies: Bodies
    quick: bool
    extra: Sequence[Entrant]

    def records(self, full: int) -> int:
        """How many records to measure with, where a full run takes `full`."""
        return full // QUICK_SHARE if self.quick else full


def scenarios() -> dict[str, Callable[[Stage], None]]:
    """All scenarios by name, in the order in which they run."""
    from benchmarks.scenarios import many, memory, neighbour, start, throughput, transports, watching

    return {
        "start": start.run,
        "throughput": throughput.run,
        "transports": transports.run,
        "neighbour": neighbour.run,
        "many": many.run,
        "memory": memory.run,
        "watching": watching.run,
    }
