"""What a run did, for programs: lines of JSON on stdout while it runs, one document in a file at its end."""

from __future__ import annotations

import json
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from streamer.cli.show.formatting import json_line
from streamer.cli.stdio import forget_stdout
from streamer.disk.wholefile import WholeFile, check_target
from streamer.errors import ConfigurationError, StorageError
from streamer.pricing import Cost, Prices
from streamer.report import BatchReport, Outcome, ProcessReport, RunReport


def _document(report: BatchReport | RunReport, prices: Prices) -> dict[str, Any]:
    """A report with what follows from its fields, in names and values of JSON."""
    document = {"complete": report.complete, **msgspec.to_builtins(report), "seconds": round(report.seconds, 3)}
    if isinstance(report, RunReport):
        document |= {"records": report.records, "bytes": report.bytes, "usage": msgspec.to_builtins(report.usage)}
        document["batches"] = [_document(batch, prices) for batch in report.batches]
    unknown = not report.usage and report.records.get("succeeded")  # of what an earlier run delivered, for one
    document["cost"] = None if unknown else cost_document(prices.price(report.usage))
    return document


def process_document(report: ProcessReport, prices: Prices) -> dict[str, Any]:
    """What became of requests, in names and values of JSON."""
    return {
        "complete": report.complete,
        **msgspec.to_builtins(report),
        "seconds": round(report.seconds, 3),
        "batches": [_document(batch, prices) for batch in report.batches],
        "cost": cost_document(prices.price(report.usage)),
    }


def cost_document(cost: Cost) -> dict[str, Any]:
    """A cost in names and values of JSON; amounts are strings, which lose nothing.

    >>> cost_document(Prices.load().price({"claude-haiku-4-5": Tokens(input=3), "other": Tokens(input=1)}))["models"]
    {'claude-haiku-4-5': '0.0000015', 'other': None}
    """
    return {
        "usd": _exactly(cost.usd),
        "models": {line.model: None if line.usd is None else _exactly(line.usd) for line in cost.lines},
        "unpriced": cost.unpriced,
        "prices_read": None if cost.oldest is None else cost.oldest.isoformat(),
    }


def _exactly(usd: Decimal) -> str:
    """An amount with all its digits, no zeros after them, and no exponent."""
    return format(usd.normalize(), "f")


class JsonLines:
    """`--json`: a line on stdout for each batch that is done with, and one for the run at its end.

    A reader that is gone does not stop the run, which may have other things to write; `failed` tells of it.
    """

    def __init__(self, prices: Prices) -> None:
        self.failed = False
        self._prices = prices

    def batch(self, report: BatchReport) -> None:
        """A batch is done with."""
        self._write({"event": "batch", **_document(report, self._prices)})

    def run(self, report: RunReport) -> None:
        """The run is at its end."""
        counts = Counter(str(batch.outcome) for batch in report.batches)
        batches = {str(outcome): counts[outcome] for outcome in Outcome}
        self._write({"event": "run", **_document(report, self._prices), "batches": batches})

    def process(self, report: ProcessReport) -> None:
        """The requests of `streamer process` are answered, as far as they can be."""
        document = process_document(report, self._prices)
        self._write({"event": "process", **document, "batches": len(report.batches)})

    def _write(self, value: dict[str, Any]) -> None:
        if self.failed:
            return
        try:
            print(json_line(value), flush=True)
        except BrokenPipeError:
            self.failed = True
            forget_stdout()


class ReportFile:
    """`--report FILE`: the whole report as one JSON document, for its owner's eyes only; there whole or not at all.

    Raises:
        ConfigurationError: no file can be made there; better said before a run of hours than after it.
    """

    def __init__(self, path: str, prices: Prices) -> None:
        self._path = Path(path)
        self._prices = prices
        check_target(self._path)
        if not self._path.parent.is_dir() or not os.access(self._path.parent, os.W_OK):
            raise ConfigurationError(
                f"--report {path} cannot be written: {self._path.parent} is no directory to write in"
            )

    def write(self, report: RunReport | ProcessReport) -> None:
        """Write it, in the place of one that is there.

        Raises:
            StorageError: the disk did not take it.
        """
        if isinstance(report, ProcessReport):
            document = process_document(report, self._prices)
        else:
            document = _document(report, self._prices)
        try:
            text = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
        except UnicodeEncodeError:  # a server sent half a character in an id: JSON has a way to write it
            text = json.dumps(document, indent=2).encode() + b"\n"
        try:
            with WholeFile(self._path, kept="what the report would tell of is kept") as file:
                file.write(text)
                file.publish()
        except ConfigurationError as error:  # what was in order when the run began
            raise StorageError(f"the report could not be written: {error}") from error
