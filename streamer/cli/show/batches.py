"""Batches as people see them: a line, a table, a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import asdict

from streamer.api.masking import escaped
from streamer.api.types import Batch
from streamer.cli.show.formatting import by_type, moment, plural

COLUMNS = ("BATCH", "STATUS", "REQUESTS", "RESULTS", "CREATED (UTC)", "ENDED / EXPIRES", "RESULTS UNTIL")
LEFT_OUT = ("ENDED / EXPIRES", "CREATED (UTC)", "RESULTS UNTIL")  # in this order, where the terminal is narrow
KEPT = timedelta(days=29)  # from the creation of a batch; then the API removes its results


def batch_line(batch: Batch) -> str:
    """A batch on one line: its id, its status, its requests."""
    return f"{escaped(batch.id)} {escaped(batch.processing_status)}, {_requests(batch)}"


def batch_table(batches: Sequence[Batch], width: int | None = None) -> list[str]:
    """Batches as lines of aligned columns under a header.

    Args:
        batches: in their order.
        width: of the terminal, for which columns are left out, those of least use first; None for all of them.
    """
    rows = [dict(zip(COLUMNS, COLUMNS, strict=True)), *map(_row, batches)]
    kept = list(COLUMNS)
    for column in (*LEFT_OUT, None):
        widths = {name: max(len(row[name]) for row in rows) for name in kept}
        if column is None or width is None or sum(widths.values()) + 2 * (len(kept) - 1) <= width:
            break
        kept.remove(column)
    lines = ["  ".join(row[name].ljust(widths[name]) for name in kept).rstrip() for row in rows]
    return [line if width is None or len(line) <= width else line[: width - 3] + "..." for line in lines]


def _row(batch: Batch) -> dict[str, str]:
    results = _counts(batch)
    results.pop("processing", None)
    return {
        "BATCH": escaped(batch.id),
        "STATUS": "archived" if batch.archived_at is not None else escaped(batch.processing_status),
        "REQUESTS": "-" if batch.requests is None else f"{batch.requests:,}",
        "RESULTS": by_type(results) or "-",
        "CREATED (UTC)": moment(batch.created_at),
        "ENDED / EXPIRES": moment(batch.ended_at) if batch.ended else f"expires {moment(batch.expires_at)}",
        "RESULTS UNTIL": _results_until(batch),
    }


def batch_page(batch: Batch) -> list[str]:
    """All about one batch, a line for each fact."""
    facts = {
        "id": batch.id,
        "status": batch.processing_status,
        "requests": _requests(batch),
        "created": moment(batch.created_at),
        "expires": moment(batch.expires_at),
        "ended": moment(batch.ended_at),
        "cancel asked for": moment(batch.cancel_initiated_at),
        "archived": moment(batch.archived_at),
        "results until": _results_until(batch),
        "results": batch.results_url or "-",
    }
    return [f"{name + ':':<18}{escaped(fact)}" for name, fact in facts.items()]


def removal(batch: Batch) -> datetime:
    """When the results of a batch are removed; the end of time where its creation is not known."""
    return datetime.max.replace(tzinfo=UTC) if batch.created_at is None else batch.created_at + KEPT


def _requests(batch: Batch) -> str:
    if batch.requests is None:
        return "requests not counted by the server"
    counts = by_type(_counts(batch))
    return f"{plural(batch.requests, 'request')}{f' ({counts})' if counts else ''}"


def _counts(batch: Batch) -> dict[str, int]:
    return {} if batch.request_counts is None else asdict(batch.request_counts)


def _results_until(batch: Batch) -> str:
    if batch.archived_at is not None:
        return "removed"
    return moment(removal(batch)) if batch.ended and batch.created_at is not None else "-"
