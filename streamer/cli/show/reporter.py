"""Who hears what of a run: failures and a summary for people, JSON for programs."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from streamer.answers.sentagain import RETRIED, SUCCEEDED
from streamer.cli.exits import Exit
from streamer.cli.show.documents import JsonLines, ReportFile
from streamer.cli.show.repeated import Repeated
from streamer.cli.show.summary import process_summary, summary, trouble
from streamer.cli.show.unsuccessful import unsuccessful_line
from streamer.cli.stdio import say
from streamer.errors import ConfigurationError
from streamer.pricing import Prices
from streamer.report import BatchReport, ProcessReport, RunReport


class Reporter:
    """Says what became of batches as they are done with, and of the run at its end.

    People hear of every batch that is not delivered, at once, but of hundreds that fail for one reason the first few
    and then how many; and at the end of requests that failed, in one line. What else the run did they hear on a
    terminal; elsewhere what is missing, and with --verbose one line. With --quiet they hear of what makes the exit
    code 1.

    Args:
        args: the words of the command: --quiet, --verbose, --json, --report and --prices.
        targets: where the records go, as the user named it.
        sources: files that the command reads, which the report must not take the place of either.

    Attributes:
        prices: what tokens cost.

    Raises:
        ConfigurationError: the report cannot be written there, or the prices cannot be read.
    """

    def __init__(self, args: argparse.Namespace, targets: Sequence[str], sources: Sequence[str] = ()) -> None:
        needed = {Path(file).resolve() for file in [*targets, *sources]}
        if args.report is not None and Path(args.report).resolve() in needed:
            raise ConfigurationError(f"--report {args.report} is a file needed for something else; name another one")
        self._targets = targets
        self._quiet: bool = args.quiet
        self._verbose: bool = args.verbose
        self.prices = Prices.load(args.prices)
        self._json = JsonLines(self.prices) if args.json else None
        self._failures = Repeated()
        self._report_file = ReportFile(args.report, self.prices) if args.report is not None else None

    def batch(self, report: BatchReport) -> None:
        """A batch is done with."""
        if self._json is not None:
            self._json.batch(report)
        say_failure(report, self._failures)

    def run(self, report: RunReport, only: Collection[str] | None = None) -> Exit:
        """The run is at its end, or broken off.

        Args:
            report: of the run.
            only: the types of result that were asked for; None for all.

        Returns:
            The exit code: a run that delivered nothing but failures is none that went well.
        """
        if self._json is not None:
            self._json.run(report)
        wanted = only is None or SUCCEEDED in only
        line = unsuccessful_line(report.records, report.error_messages) if wanted else None
        failed = wanted and any(report.records.values()) and not report.records.get(SUCCEEDED)
        return self._end(report, summary(report, self._targets, self.prices), line, failed=failed)

    def process(self, report: ProcessReport) -> Exit:
        """The requests are answered, as far as they can be; the exit code."""
        if self._json is not None:
            self._json.process(report)
        messages = Counter[str]()
        for batch in report.batches:
            messages.update(batch.error_messages)
        # What can be sent again is said with how, and of earlier attempts it is mended.
        lasting = {message: n for message, n in messages.items() if message.partition(":")[0] not in RETRIED}
        failed = any(report.answers.values()) and not report.answers.get(SUCCEEDED)
        for_good = any(kind not in RETRIED for kind in report.errors)
        line = unsuccessful_line(report.answers, lasting) if failed or for_good else None
        return self._end(report, process_summary(report, self.prices), line, failed=failed)

    def _end(
        self, report: RunReport | ProcessReport, lines: list[str], unsuccessful: str | None, *, failed: bool
    ) -> Exit:
        self._failures.say_rest()
        if self._report_file is not None:
            self._report_file.write(report)
        if unsuccessful is not None and (failed or not self._quiet):
            say(unsuccessful)
        if not sys.stderr.isatty():
            lines = ["; ".join(lines[:2])] if self._verbose else [] if report.complete else lines[:1]
        if not self._quiet:
            for line in lines:
                say(line)
        unheard = self._json is not None and self._json.failed
        return Exit.INCOMPLETE if failed or unheard or not report.complete else Exit.COMPLETE


def say_failure(report: BatchReport, failures: Repeated) -> None:
    """Say why a batch is not delivered, if it is not; of hundreds that fail for one reason a few are said."""
    if (sentence := trouble(report)) is not None:
        failures.say(sentence, about=report.batch_id)
