"""What is told while batches are created: their ids on stdout, for whoever is to go on with them."""

from __future__ import annotations

import sys

from streamer.api.masking import escaped
from streamer.cli.show.advice import say_advice, say_warnings
from streamer.cli.show.changes import new_requests
from streamer.cli.show.formatting import json_line, plural
from streamer.cli.show.progressline import ProgressLine
from streamer.cli.stdio import say
from streamer.observer import SubmitObserver
from streamer.pricing import Prices
from streamer.progress import Progress
from streamer.requests.changes import Changes
from streamer.requests.spool import Spool


class CreatedIds(SubmitObserver):
    """Prints the id of each batch as soon as it is created.

    Args:
        as_json: as a line of JSON.
        prices: what tokens cost, to say what the prompt cache could save; None to say nothing.

    Attributes:
        progress_line: the work that is under way.
    """

    def __init__(self, *, as_json: bool = False, prices: Prices | None = None) -> None:
        self._as_json = as_json
        self._prices = prices
        self.progress_line = ProgressLine()

    def working(self, progress: Progress) -> None:
        """Some other work begins."""
        self.progress_line.working(progress)

    def prepared(self, spool: Spool) -> None:
        """The files are checked."""
        if self._prices is not None:
            say_warnings(spool, self._prices)
            say_advice(spool, self._prices)

    def changed(self, changes: Changes) -> None:
        """The files are not those of before."""
        if self._prices is not None and sys.stderr.isatty():
            say(new_requests(changes))

    def probed(self, requests: int) -> None:
        """Some were tried, and paid for."""
        if self._prices is not None and sys.stderr.isatty():
            say(f"{plural(requests, 'request')} tried as ordinary messages, at the full price; none was refused")

    def created(self, batch_id: str) -> None:
        """One more id."""
        self.progress_line.redraw()  # it is sent, so its line goes before the id comes
        print(json_line({"event": "created", "batch_id": batch_id}) if self._as_json else escaped(batch_id), flush=True)
