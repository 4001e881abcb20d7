"""Which requests a round of watching sends: list pages or single retrieves, whichever costs fewer.

Pure functions over data. One list page answers for up to 1,000 batches, but only for neighbours in the workspace's
order (newest first); a retrieve answers for one batch anywhere. So the sweep remembers each watched batch's *place*:
its index in that order and the id just before it, which is the cursor of a page that begins with it. Batches within
1,000 places of each other cost one page together; a lone one costs one retrieve. Batches without a place yet are
looked for by paging on from the newest, for no more pages than it would take retrieves: at worst twice the cheapest
way, whatever else the workspace holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

from streamer.api.types import PAGE_LIMIT, BatchPage

FEW = 2  # so few batches of unknown place are asked for one by one
FAR = 10 * PAGE_LIMIT  # places that cannot share a page


class Page(NamedTuple):
    """Ask for the page of batches that follow `after_id`; for the newest ones when it is None."""

    after_id: str | None


class Single(NamedTuple):
    """Ask for one batch."""

    batch_id: str


class Place(NamedTuple):
    """Where a batch stands in the workspace's order, newest first."""

    position: int  # comparable with other places only; new batches get smaller ones
    before: str | None  # the batch just before it; None when it was the newest


class Sweep:
    """The places learned so far, and the plan of the round that is under way.

    Call `begin` with the batches that are due, then send what `wave` returns and tell every answer, until a wave is
    empty. Each wave answers for a batch or moves it one step towards being asked for alone, so a round ends. Its cost
    grows with the number of batches, not with its square.
    """

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}  # of watched batches only
        self._alone: set[str] = set()  # asked for one by one: paging did not find them cheaply
        # What is due and not answered yet: with a place, to be asked for alone, and to be looked for by paging.
        self._placed: set[str] = set()
        self._single: set[str] = set()
        self._unplaced: set[str] = set()
        self._groups: dict[str | None, list[str]] = {}  # after_id -> the batches a page was asked for
        self._page = PAGE_LIMIT  # batches that a full page has: fewer where a gateway allows no more
        self._cursor: str | None = None  # where paging for batches without a place goes on
        self._cursor_index = 0
        self._pages = 0  # pages spent on them in this round
        self._more = True  # whether there are pages behind the cursor

    def __repr__(self) -> str:
        return f"<Sweep {len(self._due()):,} due, {len(self._places):,} with a place, {len(self._alone):,} alone>"

    def begin(self, due: Iterable[str]) -> None:
        """Begin a round for the batches in `due`."""
        every = set(due)
        self._single = every & self._alone
        self._placed = every & self._places.keys()
        self._unplaced = every - self._alone - self._placed
        self._cursor, self._pages, self._more = None, 0, True
        first = min((place.position for place in self._places.values()), default=0)
        self._cursor_index = first - FAR  # unless a page shows otherwise, what is newer is not near

    def wave(self) -> list[Page | Single]:
        """Requests to send now, independent of each other; empty when the round is over."""
        self._groups = {}
        singles = sorted(self._single)
        for group in self._neighbours():
            if len(group) > 1:
                self._groups[self._places[group[0]].before] = group
            else:
                singles += group
        if len(self._unplaced) <= FEW or not self._more or self._pages >= len(self._unplaced):
            singles += sorted(self._unplaced)
            self._alone |= self._unplaced
            self._single |= self._unplaced
            self._unplaced = set()
        else:
            self._groups.setdefault(self._cursor, [])
        return [*map(Page, self._groups), *map(Single, singles)]

    def _neighbours(self) -> Iterator[list[str]]:
        """The due batches that have a place, in the workspace's order, each list of them fit for one page."""
        group: list[str] = []
        end = 0
        positions = {batch_id: self._places[batch_id].position for batch_id in sorted(self._placed)}
        for batch_id, position in sorted(positions.items(), key=itemgetter(1)):
            if group and position >= end:
                yield group
                group = []
            if not group:
                end = position + self._page
            group.append(batch_id)
        if group:
            yield group

    def answered(self, request: Page | Single, page: BatchPage | None) -> None:
        """Learn from the answer to `request`: a page, or None for a single batch, or for a page not to be had."""
        if isinstance(request, Single):
            self._done(request.batch_id)
            return
        if page is None:  # its cursor may have been deleted
            self._scatter(self._groups[request.after_id])
            if request.after_id == self._cursor:
                self._more = False
            return
        ids = [batch.id for batch in page.data]
        if page.has_more and ids:
            self._page = min(PAGE_LIMIT, len(ids) + len(page.undecodable))
        base = self._base(request, ids)
        if request.after_id == self._cursor and self._more:
            self._pages += 1
            self._cursor, self._cursor_index = page.last_id, base + len(ids) - 1
            self._more = page.has_more and page.last_id is not None
        for n, batch_id in enumerate(ids):
            if self._done(batch_id):
                self._alone.discard(batch_id)
                self._places[batch_id] = Place(base + n, ids[n - 1] if n else request.after_id)
        self._scatter([item.id for item in page.undecodable if self._is_due(item.id)])
        missed = [i for i in self._groups[request.after_id] if i in self._placed]
        if request.after_id is None and page.has_more:  # new batches have pushed them on to the next page
            self._places.update((i, Place(base + len(ids), page.last_id)) for i in missed)
        else:
            self._scatter(missed)

    def give_up(self) -> set[str]:
        """End the round early; the batches that got no answer."""
        unanswered = self._due()
        self._placed, self._single, self._unplaced = set(), set(), set()
        return unanswered

    def forget(self, batch_id: str) -> None:
        """This batch is no longer watched."""
        self._done(batch_id)
        self._places.pop(batch_id, None)
        self._alone.discard(batch_id)

    def _is_due(self, batch_id: str) -> bool:
        return any(batch_id in due for due in (self._placed, self._unplaced, self._single))

    def _due(self) -> set[str]:
        return self._placed | self._single | self._unplaced

    def _done(self, batch_id: str) -> bool:
        """Take a batch out of the round; whether it was due."""
        for due in (self._placed, self._unplaced, self._single):
            if batch_id in due:
                due.remove(batch_id)
                return True
        return False

    def _base(self, request: Page, ids: list[str]) -> int:
        """The index of the first batch of a page."""
        for n, batch_id in enumerate(ids):
            if batch_id in self._places:
                return self._places[batch_id].position - n
        return self._cursor_index + 1

    def _scatter(self, batch_ids: Iterable[str]) -> None:
        """Ask for each of these one by one, now if it is due."""
        for batch_id in batch_ids:
            self._places.pop(batch_id, None)
            self._alone.add(batch_id)
            if self._done(batch_id):
                self._single.add(batch_id)
