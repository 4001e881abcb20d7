"""What the numbers must be, and what they are: each target is a ratio, or a limit, of one run."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from benchmarks.contenders import (
    AIOHTTP_DROP,
    COPY,
    CURL_FILE,
    CURL_NULL,
    HEADS,
    MSGSPEC,
    OFFICIAL_ASYNC,
    TYPED,
    Entrant,
)
from benchmarks.results import Results


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One promise about the numbers.

    Attributes:
        what: in words.
        found: what was measured.
        bound: what it must be.
        at_least: the bound is a floor, not a ceiling.
    """

    what: str
    found: float
    bound: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return self.found >= self.bound if self.at_least else self.found <= self.bound

    def __str__(self) -> str:
        relation = "at least" if self.at_least else "at most"
        return f"{'ok  ' if self.met else 'MISS'}  {self.what}: {self.found:.3g} ({relation} {self.bound:g})"


def targets(results: Results) -> Iterator[Target]:
    """Every target that this run measured."""
    found = _Found(results)
    yield from found.ratio("copy / curl -o", COPY, CURL_FILE, 0.9)
    yield from found.ratio("ids and types / aiohttp dropping", HEADS, AIOHTTP_DROP, 0.75)
    yield from found.ratio("ids and types / official async client", HEADS, OFFICIAL_ASYNC, 60)
    yield from found.ratio("typed / msgspec from memory", TYPED, MSGSPEC, 0.9)
    yield from found.ratio("typed / official async client", TYPED, OFFICIAL_ASYNC, 20)
    for entrant in (COPY, HEADS, TYPED):
        large, small = (found.figure("throughput", case, entrant) for case in ("1 MB", "20 KB"))
        if large and small:
            yield Target(what=f"1 MB / 20 KB records, {entrant.name}", found=large / small, bound=1.0)
    yield from found.ratio("gzip: ids and types / curl --compressed", HEADS, CURL_NULL, 2.0, "transports", "http, gzip")
    yield from found.ratio("HTTPS: copy / curl -o", COPY, CURL_FILE, 0.85, "transports", "https")
    yield from found.flatness()
    yield from found.limits("many", "100 at once", COPY.name, "peak MB", 160)
    few, lots = (found.figure("many", case, COPY) for case in ("8 at once", "100 at once"))
    if few and lots:
        yield Target(what="copy, 100 / 8 streams at once", found=lots / few, bound=0.9)
    for entrant in (COPY, HEADS, TYPED):
        yield from found.limits("neighbour", "2 KB", entrant.name, "delay p99 ms", 3)
        yield from found.limits("neighbour", "2 KB", entrant.name, "delay max ms", 15)
    for metric, bound in (("requests a round", 11), ("CPU s a round", 0.5)):
        yield from found.limits("watching", "10,000 batches", "streamer: watch", metric, bound)
    for row in results.of("start")[:1]:  # `import streamer`
        for metric, bound in (("import ms", 250), ("optional packages", 0)):
            yield from found.limits("start", row.case, row.contender, metric, bound)


class _Found:
    """Figures of a run, looked up by scenario, case and contender."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def figure(self, scenario: str, case: str, entrant: Entrant, metric: str = "MB/s") -> float | None:
        row = self._results.find(scenario, case, entrant.name)
        return row.middle(metric) if row is not None else None

    def ratio(
        self, what: str, ours: Entrant, theirs: Entrant, bound: float, scenario: str = "throughput", case: str = "2 KB"
    ) -> Iterator[Target]:
        above, below = (self.figure(scenario, case, entrant) for entrant in (ours, theirs))
        if above and below:
            yield Target(what=what, found=above / below, bound=bound)

    def limits(self, scenario: str, case: str, contender: str, metric: str, bound: float) -> Iterator[Target]:
        for row in self._results.of(scenario):
            if (row.case, row.contender) == (case, contender):
                what = f"{scenario}, {case}, {row.contender}: {metric}"
                yield Target(what=what, found=row.middle(metric) or 0.0, bound=bound, at_least=False)

    def flatness(self) -> Iterator[Target]:
        for entrant in (COPY, HEADS):
            rows = [row for row in self._results.of("memory") if row.contender == entrant.name]
            for case in dict.fromkeys(row.case.rpartition(", ")[0] for row in rows):
                peaks = [row.middle("peak MB") or 0.0 for row in rows if row.case.rpartition(", ")[0] == case]
                what = f"memory, {case}, {entrant.name}"
                grown = peaks[-1] - peaks[0]
                yield Target(what=f"{what}: MB more at the largest size", found=grown, bound=5, at_least=False)
                yield Target(what=f"{what}: peak MB", found=max(peaks), bound=60, at_least=False)
