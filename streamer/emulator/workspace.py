"""A workspace: its batches, listed and looked up, canceled and deleted. No I/O, no waiting, no clock of its own.

Batches are numbered from the oldest. Those that are there at start are not stored: all about them follows from
their number. So a workspace of 100,000 batches is there at once, and a page of it costs what a page costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from streamer.emulator.clock import DAY, microseconds
from streamer.emulator.errors import Refusal, invalid
from streamer.emulator.ids import BatchIds, unit
from streamer.emulator.lifecycle import Course, Outcomes, outcomes
from streamer.emulator.settings import RECORD_TYPES, Settings, shares
from streamer.emulator.spill import Extents


class Created(NamedTuple):
    """A batch that was created while the emulator ran."""

    at: int
    total: int
    invalid: int  # of these: requests whose params are not valid
    extents: Extents


@dataclass(frozen=True, slots=True)
class BatchState:
    """One batch at one moment.

    Attributes:
        number: its number in the workspace.
        id: its id.
        status: its `processing_status`.
        total: all of its requests.
        course: when it was created, ends, expires, is archived.
        outcomes: what becomes of its valid requests.
        invalid: requests that end as errored because their params are not valid.
        now: the moment.
    """

    number: int
    id: str
    status: str
    total: int
    course: Course
    outcomes: Outcomes
    invalid: int
    now: int

    @property
    def ended(self) -> bool:
        """Whether every record is final."""
        return self.status == "ended"

    @property
    def archived(self) -> bool:
        """Whether the results are gone."""
        return self.now >= self.course.archives

    @property
    def counts(self) -> dict[str, int]:
        """Its `request_counts`: everything is processing until all is done, as the API counts."""
        if not self.ended:
            return {"processing": self.total} | dict.fromkeys(RECORD_TYPES, 0)
        counts = {"processing": 0} | self.outcomes.counts
        counts["errored"] += self.invalid
        return counts


class ListedPage(NamedTuple):
    """Batches of one list answer, and whether there are more in the direction asked for."""

    states: list[BatchState]
    has_more: bool


class Workspace:
    """The batches that the keys of one workspace see.

    Args:
        settings: what is in it at start, how long batches take.
        name: decides its ids: two workspaces have none in common.
        started: when the emulator started; batches that are there at start are older.
    """

    def __init__(self, settings: Settings, name: str, started: int) -> None:
        self._settings = settings
        self._ids = BatchIds(settings.seed, name)
        self._started = started
        self._filled = settings.fill_ended + settings.fill
        self._created: list[Created] = []
        self._canceled: dict[int, int] = {}
        self._deleted: set[int] = set()
        self._mix = shares(settings.mix, RECORD_TYPES)

    def create(self, created: Created) -> BatchState:
        """Take a new batch in.

        Raises:
            Refusal: 429, the queue is full.
        """
        limit = self._settings.queue_limit
        if limit and self._queued(created.at) + created.total > limit:
            raise Refusal(
                429, f"This request would exceed your organization's limit of {limit} batch requests in the queue"
            )
        self._created.append(created)
        return self._state(self._filled + len(self._created) - 1, created.at)

    def get(self, batch_id: str, now: int) -> BatchState:
        """One batch.

        Raises:
            Refusal: 404, there is no such batch here.
        """
        number = self._number(batch_id)
        if number is None or number in self._deleted:
            raise Refusal(404, f"Message batch {batch_id[:80]} not found")
        return self._state(number, now)

    def cancel(self, batch_id: str, now: int) -> BatchState:
        """Cancel one batch; it then is canceling for a while."""
        state = self.get(batch_id, now)
        if state.status == "in_progress":
            self._canceled[state.number] = now
            return self._state(state.number, now)
        status = self._settings.cancel_ended_status if state.ended else self._settings.cancel_canceling_status
        if status != 200:
            raise Refusal(status, f"Message batch {state.id} cannot be canceled: it is {state.status}")
        return state

    def delete(self, batch_id: str, now: int) -> BatchState:
        """Delete one batch that has ended."""
        state = self.get(batch_id, now)
        if not state.ended:
            raise Refusal(
                self._settings.delete_unended_status,
                f"Message batch {state.id} is {state.status}: it can be deleted after it has ended, cancel it first",
            )
        self._deleted.add(state.number)
        return state

    def with_results(self, batch_id: str, now: int) -> BatchState:
        """One batch whose results can be read now."""
        state = self.get(batch_id, now)
        if not state.ended:
            raise Refusal(
                self._settings.results_unended_status,
                f"Results of message batch {state.id} are not available: it is {state.status}",
            )
        if state.archived:
            raise Refusal(
                self._settings.results_archived_status,
                f"Results of message batch {state.id} are no longer available: it is archived",
            )
        return state

    def page(self, limit: int, after_id: str | None, before_id: str | None, now: int) -> ListedPage:
        """A page of batches, newest first."""
        if after_id is not None and before_id is not None:
            if self._settings.cursor_both_status != 200:
                raise Refusal(self._settings.cursor_both_status, "Give after_id or before_id, not both")
            before_id = None
        newest = self._filled + len(self._created)
        if before_id is not None:
            numbers = self._existing(range(self._cursor(before_id, "before_id") + 1, newest))
        else:
            start = newest if after_id is None else self._cursor(after_id, "after_id")
            numbers = self._existing(range(start - 1, -1, -1))
        found = [number for number, _ in zip(numbers, range(limit + 1), strict=False)]
        page = found[:limit]
        if before_id is not None and self._settings.before_id_order == "newest":
            page.reverse()
        return ListedPage([self._state(number, now) for number in page], len(found) > limit)

    def asks_of(self, state: BatchState) -> Extents | None:
        """Where the requests of a created batch are; None for one that was there at start."""
        index = state.number - self._filled
        return self._created[index].extents if index >= 0 else None

    def _queued(self, now: int) -> int:
        """The requests of all batches in progress."""
        states = (self._state(number, now) for number in range(self._filled + len(self._created)))
        return sum(state.total for state in states if not state.ended)

    def _existing(self, numbers: range) -> Iterator[int]:
        return (number for number in numbers if number not in self._deleted)

    def _number(self, batch_id: str) -> int | None:
        number = self._ids.number(batch_id)
        return number if number is not None and number < self._filled + len(self._created) else None

    def _cursor(self, batch_id: str, name: str) -> int:
        number = self._number(batch_id)
        if number is None:
            raise Refusal(self._settings.cursor_unknown_status, f"{name}: no batch {batch_id[:80]} here")
        return number

    def _state(self, number: int, now: int) -> BatchState:
        course = self._course(number)
        total, wrong = self._settings.records, 0
        if number >= self._filled:
            _, total, wrong, _ = self._created[number - self._filled]
        return BatchState(
            number=number,
            id=self._ids.id(number),
            status=course.status(now),
            total=total,
            course=course,
            outcomes=outcomes(total - wrong, course, self._mix, unit(self._settings.seed, number, 1)),
            invalid=wrong,
            now=now,
        )

    def _course(self, number: int) -> Course:
        settings = self._settings
        spread = settings.duration_spread * (2 * unit(settings.seed, number) - 1)
        return Course(
            created=self._created_at(number),
            duration=max(1, microseconds(settings.duration * (1 + spread))),
            canceled=self._canceled.get(number),
            cancel_duration=microseconds(settings.cancel_duration),
        )

    def _created_at(self, number: int) -> int:
        if number >= self._filled:
            return self._created[number - self._filled].at
        if number >= self._settings.fill_ended:
            return self._started - (self._filled - number)
        span = microseconds(self._settings.fill_days * 86_400)
        return self._started - 2 * DAY - span * (self._settings.fill_ended - number) // self._settings.fill_ended


def limit_of(text: str | None) -> int:
    """The `limit` of a list, 20 by default.

    Raises:
        Refusal: 400, it is no number from 1 to 1000.
    """
    if text is None:
        return 20
    try:
        limit = int(text)
    except ValueError:
        message = "limit: Input should be a valid integer, unable to parse string as an integer"
        raise invalid(message) from None
    if limit < 1:
        raise invalid("limit: Input should be greater than or equal to 1")
    if limit > 1000:
        raise invalid("limit: Input should be less than or equal to 1000")
    return limit
