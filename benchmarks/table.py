"""The results as tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.contenders import COPY, HEADS, TYPED
from benchmarks.job import Kind
from benchmarks.results import Results, Row

#: What is shown of each scenario; the first metric is also shown as a ratio to our way of the same kind.
METRICS = {
    "start": ("import ms", "optional packages"),
    "throughput": ("MB/s", "records/s", "CPU s/GB", "first record ms", "peak MB"),
    "transports": ("MB/s", "records/s", "CPU s/GB", "first record ms"),
    "neighbour": ("delay p99 ms", "delay p50 ms", "delay max ms", "MB/s"),
    "many": ("MB/s", "CPU s/GB", "peak MB"),
    "memory": ("peak MB", "MB/s"),
    "watching": ("requests a round", "CPU s a round", "s a round"),
}
#: Our way of each kind; who only drops the bytes is held against the one that hands out ids and types.
OURS = {Kind.COPY: COPY.name, Kind.DROP: HEADS.name, Kind.HEADS: HEADS.name, Kind.TYPED: TYPED.name}


def tables(results: Results) -> Iterator[str]:
    """Line by line: for each scenario and case the contenders, with median, smallest, largest, and ratio to us."""
    for scenario, metrics in METRICS.items():
        rows = results.of(scenario)
        if not rows:
            continue
        first, *others = metrics
        yield ""
        yield f"{scenario}: {first}"
        heading = ["case", "contender", "what is done", "median", "min", "max", "ratio to us", *others]
        body = [_line(results, row, first, others) for row in rows if first in row.samples]
        yield from _aligned([heading, *body])
    if results.skipped:
        yield ""
        yield from (f"left out: {name} ({why})" for name, why in results.skipped.items())


def _line(results: Results, row: Row, metric: str, others: list[str]) -> list[str]:
    samples = row.samples[metric]
    own = results.find(row.scenario, row.case, OURS.get(Kind(row.kind), "") if row.kind else "")
    base = own.middle(metric) if own is not None else None
    middle = row.middle(metric) or 0.0
    return [
        row.case,
        row.contender,
        row.kind,
        _number(middle),
        _number(min(samples)),
        _number(max(samples)),
        _number(middle / base) if base else "",
        *(_number(row.middle(other)) for other in others),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _aligned(lines: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if place < 3 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
