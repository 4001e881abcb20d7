"""Who is told what of a run: failures and a summary for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from streamer.cli.show.documents import JsonLines, ReportFile
from streamer.cli.show.summary import process_summary, summary, trouble
from streamer.cli.stdio import say
from streamer.errors import ConfigurationError
from streamer.pricing import Prices
from streamer.report import BatchReport, ProcessReport, RunReport


class Reporter:
    """Tells of batches as they are done with, and of the run at its end.

    People are told of every batch that is not delivered, at once; at the end, on a terminal, what the run did. Where
    stderr is no terminal that is left out, unless something is missing.

    Args:
        targets: where the records go, as the user named it.
        quiet: tell people of failures only.
        as_json: write lines of JSON on stdout.
        report_file: path of the report; None for none.
        sources: files that the command reads, which the report must not take the place of either.
        prices: path of a file of prices; None for those that are built in. As an attribute: what it holds.

    Raises:
        ConfigurationError: the report cannot be written there, or the prices cannot be read.
    """

    def __init__(
        self,
        targets: Sequence[str],
        *,
        quiet: bool,
        as_json: bool,
        report_file: str | None,
        prices: str | None = None,
        sources: Sequence[str] = (),
    ) -> None:
        needed = {Path(file).resolve() for file in [*targets, *sources]}
        if report_file is not None and Path(report_file).resolve() in needed:
            raise ConfigurationError(f"--report {report_file} is a file needed for something else; name another one")
        self._targets = targets
        self._quiet = quiet
        self.prices = Prices.load(prices)
        self._json = JsonLines(self.prices) if as_json else None
        self._report_file = ReportFile(report_file, self.prices) if report_file is not None else None

    @property
    def heard(self) -> bool:
        """Whether everything that was to be read on stdout could be written there."""
        return self._json is None or not self._json.failed

    def batch(self, report: BatchReport) -> None:
        """A batch is done with."""
        if self._json is not None:
            self._json.batch(report)
        say_failure(report)

    def run(self, report: RunReport) -> None:
        """The run is at its end, or broken off."""
        if self._json is not None:
            self._json.run(report)
        self._end(report, summary(report, self._targets, self.prices))

    def process(self, report: ProcessReport) -> None:
        """The requests are answered, as far as they can be."""
        if self._json is not None:
            self._json.process(report)
        self._end(report, process_summary(report, self.prices))

    def _end(self, report: RunReport | ProcessReport, lines: list[str]) -> None:
        if self._report_file is not None:
            self._report_file.write(report)
        if self._quiet:
            return
        if not sys.stderr.isatty():
            lines = [] if report.complete else lines[:1]
        for line in lines:
            say(line)


def say_failure(report: BatchReport) -> None:
    """Say why a batch is not delivered, if it is not."""
    if (sentence := trouble(report)) is not None:
        say(sentence)
