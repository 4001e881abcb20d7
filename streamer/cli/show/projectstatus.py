"""Where a project stands, for people and for programs."""

from __future__ import annotations

from typing import Any

import msgspec

from streamer.api.masking import escaped
from streamer.cli.show.documents import cost_document
from streamer.cli.show.formatting import by_type, moment, plural
from streamer.cli.show.summary import total, unanswered
from streamer.pricing import Prices
from streamer.project.status import BatchStatus, ProjectStatus
from streamer.submission.ledger import State


def status_document(found: ProjectStatus, prices: Prices) -> dict[str, Any]:
    """In names and values of JSON."""
    return {**msgspec.to_builtins(found), "cost": cost_document(prices.price(found.usage))}


def status_lines(found: ProjectStatus, prices: Prices) -> list[str]:
    """In a few lines, and one for each batch."""
    busy = "; another process works in it, so this is of a moment ago" if found.in_use else ""
    lines = [
        f"{escaped(found.project)}: {plural(found.requests, 'request')} in {plural(len(found.batches), 'batch')}{busy}",
        *map(_batch_line, found.batches),
        f"answers: {by_type(found.answers) or 'none yet'}",
    ]
    if found.errors:
        lines.append(f"errors: {by_type(found.errors)}")
    if found.missing:
        lines.append(unanswered(found.missing, found.missing_ids))
    if found.usage:
        lines.append(f"cost so far: {total(prices.price(found.usage))}")
    return [*lines, *(f"the next run would {step}" for step in found.next)]


def _batch_line(one: BatchStatus) -> str:
    what = "made elsewhere" if one.requests is None else plural(one.requests, "request")
    again = ", sent again" if one.retry else ""
    return f"  {one.number}. {escaped(one.batch_id or '-')}: {what}{again}, {_standing(one)}"


def _standing(one: BatchStatus) -> str:
    if one.state is State.PLANNED:
        return "not created yet"
    if one.state is State.INTENDED:
        return "nobody knows yet whether it was created"
    if one.wrong:
        return f"its results are not what was delivered: {escaped(one.wrong)}"
    if one.delivered:
        return "delivered"
    if one.error:
        return f"created; {escaped(one.error)}"
    if one.api is None:
        return "created, its results are not here yet"
    if one.api.ended:
        return "ended, its results are not here yet"
    return f"{escaped(one.api.processing_status)} until {moment(one.api.expires_at)} UTC at most"
