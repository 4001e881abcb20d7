"""What was measured: the rows of all tables, and the JSON file they are kept in."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import msgspec


class Row(msgspec.Struct, kw_only=True):
    """What one contender needed in one case.

    Attributes:
        scenario: which question this answers, e.g. `throughput`.
        case: under which circumstances, e.g. `http, 2 KB`.
        at: the case as a number, for the axis of a plot.
        contender: who.
        kind: what it did with each record.
        samples: by metric, e.g. `MB/s`, one number for each round.
    """

    scenario: str
    case: str
    at: float
    contender: str
    kind: str = ""
    samples: dict[str, list[float]] = {}

    def add(self, figures: dict[str, float]) -> None:
        """Take the figures of one round."""
        for metric, figure in figures.items():
            self.samples.setdefault(metric, []).append(figure)

    def middle(self, metric: str) -> float | None:
        """The median of a metric; None when it was not measured."""
        samples = self.samples.get(metric)
        return median(samples) if samples else None


class Results(msgspec.Struct, kw_only=True):
    """All rows of one run of the benchmarks, and where it ran."""

    machine: dict[str, str] = {}
    rows: list[Row] = []
    skipped: dict[str, str] = {}  # contenders that could not run, and why

    def of(self, scenario: str) -> list[Row]:
        """The rows of a scenario."""
        return [row for row in self.rows if row.scenario == scenario]

    def find(self, scenario: str, case: str, contender: str) -> Row | None:
        """The row of a contender in a case."""
        return next((row for row in self.of(scenario) if (row.case, row.contender) == (case, contender)), None)

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what `save` wrote."""
        return msgspec.json.decode(path.read_bytes(), type=cls)
