"""The results as pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl

from benchmarks.results import Results, Row

mpl.use("Agg")  # no screen is needed
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

#: Figures that are plotted against the case, as (scenario, metric, label of the axis).
CURVES = (
    ("throughput", "MB/s", "bytes in a record"),
    ("many", "MB/s", "batches at once"),
    ("many", "peak MB", "batches at once"),
    ("memory", "peak MB", "MB of results"),
    ("watching", "CPU s a round", "batches in progress"),
    ("watching", "requests a round", "batches in progress"),
)
#: Figures of single cases, as (scenario, metric).
BARS = (
    ("throughput", "CPU s/GB"),
    ("throughput", "first record ms"),
    ("transports", "MB/s"),
    ("neighbour", "delay p99 ms"),
)
BAR_CASES = ("2 KB", "https", "http, gzip", "https, gzip")


def draw(results: Results, directory: Path) -> list[Path]:
    """Write a PNG for each figure that was measured; returns where they are."""
    return [*_curves(results, directory), *_bars(results, directory)]


def _curves(results: Results, directory: Path) -> Iterator[Path]:
    for scenario, metric, axis in CURVES:
        rows = [row for row in results.of(scenario) if metric in row.samples]
        if not rows:
            continue
        figure, axes = plt.subplots(figsize=(9, 6), layout="constrained")
        axes.set_prop_cycle(color=plt.get_cmap("tab20")(range(20)))  # there are more contenders than usual colours
        for name, line in _lines(rows).items():
            points = [(row.at, row.middle(metric) or 0.0) for row in line]
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
        axes.set(xscale="log", yscale="log", xlabel=axis, ylabel=metric, title=f"{scenario}: {metric}")
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend(fontsize="small")
        yield _save(figure, directory, scenario, metric)


def _lines(rows: list[Row]) -> dict[str, list[Row]]:
    """The rows of each curve; in `memory` a contender has one for each way in which results grow."""
    lines: dict[str, list[Row]] = {}
    for row in rows:
        name = f"{row.contender}, {row.case.rpartition(', ')[0]}" if row.scenario == "memory" else row.contender
        lines.setdefault(f"{name} ({row.kind})" if row.kind else name, []).append(row)
    return lines


def _bars(results: Results, directory: Path) -> Iterator[Path]:
    for scenario, metric in BARS:
        rows = [row for row in results.of(scenario) if metric in row.samples and row.case in BAR_CASES]
        if not rows:
            continue
        rows.reverse()  # the first one on top
        figure, axes = plt.subplots(figsize=(9, 1 + 0.35 * len(rows)), layout="constrained")
        names = [f"{row.contender} ({row.case})" for row in rows]
        bars = axes.barh(names, [row.middle(metric) or 0.0 for row in rows])
        axes.bar_label(bars, fmt="%.3g", padding=3)
        axes.set(xlabel=metric, title=f"{scenario}: {metric}")
        yield _save(figure, directory, scenario, metric)


def _save(figure: Figure, directory: Path, scenario: str, metric: str) -> Path:
    name = "-".join([scenario, *metric.replace("/", " per ").split()]).lower()
    path = directory / f"{name}.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path
