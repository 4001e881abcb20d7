"""The API's JSON objects, keys in the order the real service writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamer.emulator.clock import written
from streamer.emulator.workspace import BatchState, ListedPage

ResultsUrl = Callable[[str], str]  # a batch id to the address of its results


def batch_object(state: BatchState, results_url: ResultsUrl) -> dict[str, Any]:
    """A MessageBatch: all ten keys, null where there is nothing yet."""
    course = state.course
    return {
        "id": state.id,
        "type": "message_batch",
        "processing_status": state.status,
        "request_counts": state.counts,
        "ended_at": written(course.ends) if state.ended else None,
        "created_at": written(course.created),
        "expires_at": written(course.expires),
        "archived_at": written(course.archives) if state.archived else None,
        "cancel_initiated_at": None if course.canceled is None else written(course.canceled),
        "results_url": results_url(state.id) if state.ended else None,
    }


def page_object(page: ListedPage, results_url: ResultsUrl) -> dict[str, Any]:
    """One answer of the list endpoint."""
    states = page.states
    return {
        "data": [batch_object(state, results_url) for state in states],
        "has_more": page.has_more,
        "first_id": states[0].id if states else None,
        "last_id": states[-1].id if states else None,
    }


def deleted_object(batch_id: str) -> dict[str, Any]:
    """The answer to a delete."""
    return {"id": batch_id, "type": "message_batch_deleted"}
