"""The plan of a round in its plainest form, quadratic in the number of batches: what `Sweep` is held against."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.api.types import PAGE_LIMIT, BatchPage
from streamer.watching.sweep import FAR, FEW, Page, Place, Single


class PlainSweep:
    """As `Sweep`."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}  # of watched batches only
        self._alone: set[str] = set()  # asked for one by one: paging did not find them cheaply
        self._due: set[str] = set()
        self._groups: dict[str | None, list[str]] = {}  # after_id -> the batches a page was asked for
        self._cursor: str | None = None  # where paging for batches without a place goes on
        self._cursor_index = 0
        self._pages = 0  # pages spent on them in this round
        self._more = True  # whether there are pages behind the cursor

    def __repr__(self) -> str:
        return f"<Sweep {len(self._due):,} due, {len(self._places):,} with a place, {len(self._alone):,} alone>"

    def begin(self, due: Iterable[str]) -> None:
        """Begin a round for the batches in `due`."""
        self._due = set(due)
        self._cursor, self._pages, self._more = None, 0, True
        first = min((place.position for place in self._places.values()), default=0)
        self._cursor_index = first - FAR  # unless a page shows otherwise, what is newer is not near

    def wave(self) -> list[Page | Single]:
        """Requests to send now, independent of each other; empty when the round is over."""
        placed = sorted((self._places[i], i) for i in self._due if i in self._places)
        self._groups = {}
        singles = sorted(self._due & self._alone)
        while placed:
            first = placed[0][0]
            group = [i for place, i in placed if place.position < first.position + PAGE_LIMIT]
            del placed[: len(group)]
            if len(group) > 1:
                self._groups[first.before] = group
            else:
                singles += group
        lost = sorted(self._due - self._places.keys() - self._alone)
        if len(lost) <= FEW or not self._more or self._pages >= len(lost):
            singles += lost
            self._alone.update(lost)
        elif lost:
            self._groups.setdefault(self._cursor, [])
        return [*map(Page, self._groups), *map(Single, singles)]

    def answered(self, request: Page | Single, page: BatchPage | None) -> None:
        """Learn from the answer to `request`: a page, or None for a single batch, or for a page not to be had."""
        if isinstance(request, Single):
            self._due.discard(request.batch_id)
            return
        if page is None:  # its cursor may have been deleted
            self._scatter(self._groups[request.after_id])
            if request.after_id == self._cursor:
                self._more = False
            return
        ids = [batch.id for batch in page.data]
        base = self._base(request, ids)
        if request.after_id == self._cursor and self._more:
            self._pages += 1
            self._cursor, self._cursor_index = page.last_id, base + len(ids) - 1
            self._more = page.has_more and page.last_id is not None
        for n, batch_id in enumerate(ids):
            if batch_id in self._due:
                self._due.remove(batch_id)
                self._alone.discard(batch_id)
                self._places[batch_id] = Place(base + n, ids[n - 1] if n else request.after_id)
        missed = [i for i in self._groups[request.after_id] if i in self._due]
        if request.after_id is None and page.has_more:  # new batches have pushed them on to the next page
            self._places.update((i, Place(base + len(ids), page.last_id)) for i in missed)
        else:
            self._scatter(missed)

    def give_up(self) -> set[str]:
        """End the round early; the batches that got no answer."""
        unanswered, self._due = self._due, set()
        return unanswered

    def _base(self, request: Page, ids: list[str]) -> int:
        """The index of the first batch of a page."""
        for n, batch_id in enumerate(ids):
            if batch_id in self._places:
                return self._places[batch_id].position - n
        return self._cursor_index + 1

    def _scatter(self, batch_ids: Iterable[str]) -> None:
        for batch_id in batch_ids:
            self._places.pop(batch_id, None)
            self._alone.add(batch_id)

    def forget(self, batch_id: str) -> None:
        """This batch is no longer watched."""
        self._places.pop(batch_id, None)
        self._alone.discard(batch_id)
        self._due.discard(batch_id)
