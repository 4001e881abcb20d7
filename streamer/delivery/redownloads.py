"""Whether the results of a batch are downloaded again, and when: plain decisions, no clock and no network.

Attempts are counted against lack of progress, not against the size of the results: as long as each download brings
records that no earlier one did, it goes on.
"""

from __future__ import annotations

from random import Random

from streamer.api.retry import SPEND_LIMIT_CODES
from streamer.errors import ApiError, TransportError

FRUITLESS_DOWNLOADS = 8  # in a row that broke off without a new record, before the batch is given up
CLEAN_DOWNLOADS = 3  # in a row that ended well and yet did not make the batch complete
LEAST_PAUSE = 0.1  # seconds between two downloads of the same results, whatever they bring
LONGEST_PAUSE = 60.0  # seconds between two downloads of the same results


class RedownloadPolicy:
    """What the downloads of one batch have brought lately, as far as the decision needs it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._fruitless = 0
        self._clean = 0

    def __repr__(self) -> str:
        return f"<RedownloadPolicy {self._fruitless} fruitless in a row, {self._clean} of them clean>"

    def pause(self, *, progressed: bool, clean: bool) -> float | None:
        """Seconds to wait before the next download; None to give up.

        Args:
            progressed: the last download brought records that no earlier one had.
            clean: it ended as the server meant it to.
        """
        self._fruitless = 0 if progressed else self._fruitless + 1
        self._clean = 0 if progressed else self._clean + clean
        if self._fruitless >= FRUITLESS_DOWNLOADS or self._clean >= CLEAN_DOWNLOADS:
            return None
        return max(LEAST_PAUSE, self._random.uniform(0.0, min(LONGEST_PAUSE, 0.5 * 2.0**self._fruitless)))


def may_pass(error: TransportError | ApiError) -> bool:
    """Whether the same request may well succeed later, though the client has given up repeating it for now."""
    if isinstance(error, TransportError):
        return True
    return (error.status in {408, 429} or error.status >= 500) and error.error_code not in SPEND_LIMIT_CODES
