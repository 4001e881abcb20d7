"""The gate for continuous integration: whether the library has become slower or fatter.

Only ratios are compared, with the same contenders as before. How fast a machine is cancels out of the ratio of two
contenders in one run, and how much memory its Python needs out of the ratio of two sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, log

from benchmarks.contenders import EVERYONE
from benchmarks.results import Results, Row

TOLERANCE = 0.2  # a ratio may be so much worse; on a busy machine two runs of the same code differ by half of that
_OURS = {entrant.name for entrant in EVERYONE if entrant.ours}


def regressions(old: Results, new: Results, tolerance: float = TOLERANCE) -> Iterator[str]:
    """What has become worse, a sentence for each; nothing when all is well."""
    for row in new.rows:
        before = old.find(row.scenario, row.case, row.contender)
        if row.contender not in _OURS or before is None:
            continue
        change = _speed(old, new, before, row) if row.scenario != "memory" else _flatness(old, new, before, row)
        if change is not None and change < 1 - tolerance:
            yield f"{row.scenario}, {row.case}, {row.contender}: {change:.2f} of what it was, beside the others"


def _speed(old: Results, new: Results, before: Row, now: Row) -> float | None:
    """By how much the speed has changed, relative to all others that took part both times."""
    changes = []
    for other in new.of(now.scenario):
        then = old.find(other.scenario, other.case, other.contender)
        if other.case != now.case or other.contender in _OURS or then is None:
            continue
        figures = [row.middle("MB/s") for row in (now, other, before, then)]
        if all(figures):
            ours, theirs, ours_then, theirs_then = (figure or 1.0 for figure in figures)
            changes.append(log(ours / theirs * theirs_then / ours_then))
    return exp(sum(changes) / len(changes)) if changes else None


def _flatness(old: Results, new: Results, before: Row, now: Row) -> float | None:
    """By how much memory at this size, relative to the smallest size, has changed; below 1 is worse."""
    growth = [_growth(results, row) for results, row in ((old, before), (new, now))]
    then, since = growth
    return then / since if then and since else None


def _growth(results: Results, row: Row) -> float | None:
    smallest = next(other for other in results.of("memory") if other.contender == row.contender)
    peak, least = row.middle("peak MB"), smallest.middle("peak MB")
    return peak / least if peak and least else None
