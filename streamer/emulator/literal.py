"""Literal ids: tests written against a canned mock server ask for `message_batch_id` and expect an answer."""

from __future__ import annotations

from streamer.emulator.clock import SECOND
from streamer.emulator.ids import PREFIX
from streamer.emulator.lifecycle import Course, Outcomes
from streamer.emulator.workspace import BatchState, ListedPage, Workspace

_TOTAL = 3  # records of a made-up batch
_AGE = 3600 * SECOND


def is_literal(batch_id: str) -> bool:
    """Whether an id is not of the API's form."""
    return not batch_id.startswith(PREFIX)


class LiteralWorkspace(Workspace):
    """Also answers ids that are not of the API's form, each time as if it were the first."""

    def get(self, batch_id: str, now: int) -> BatchState:
        """One batch; a made-up one has ended, with all its requests succeeded."""
        if not is_literal(batch_id):
            return super().get(batch_id, now)
        return _made_up(batch_id, "ended", Course(now - _AGE, _AGE // 2, None, 0), now)

    def cancel(self, batch_id: str, now: int) -> BatchState:
        """Cancel one batch; a made-up one was in progress."""
        if not is_literal(batch_id):
            return super().cancel(batch_id, now)
        return _made_up(batch_id, "canceling", Course(now - _AGE, 2 * _AGE, now, _AGE), now)

    def delete(self, batch_id: str, now: int) -> BatchState:
        """Delete one batch; a made-up one can be deleted again."""
        return self.get(batch_id, now) if is_literal(batch_id) else super().delete(batch_id, now)

    def page(self, limit: int, after_id: str | None, before_id: str | None, now: int) -> ListedPage:
        """A page of batches; a made-up cursor counts as none."""
        after_id, before_id = (None if one is None or is_literal(one) else one for one in (after_id, before_id))
        return super().page(limit, after_id, before_id, now)


def _made_up(batch_id: str, status: str, course: Course, now: int) -> BatchState:
    return BatchState(
        number=-1,
        id=batch_id,
        status=status,
        total=_TOTAL,
        course=course,
        outcomes=Outcomes({"succeeded": _TOTAL, "errored": 0, "canceled": 0, "expired": 0}),
        invalid=0,
        now=now,
    )
