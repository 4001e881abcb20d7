"""Requests that came back without an answer of a model: how many, what the API said of most, what to do."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.answers.sentagain import CANCELED, ERRORED, EXPIRED, RETRIED, SUCCEEDED
from streamer.api.masking import escaped
from streamer.cli.show.formatting import by_type, plural

LONGEST = 200  # characters of the API's message


def unsuccessful_line(records: Mapping[str, int], messages: Mapping[str, int]) -> str | None:
    """What is said of them; None when there are none, or some succeeded and the others were canceled.

    Args:
        records: by type of result.
        messages: what the API said of errored ones, each as `type: message`, by how many have it.

    >>> unsuccessful_line({"errored": 50}, {"not_found_error: model: claude-typo": 50})
    'none of 50 requests succeeded (50 errored), 50 with not_found_error: model: claude-typo; mend these requests and \
submit them again, unchanged they would fail again'
    """
    others = {name: n for name, n in records.items() if n and name != SUCCEEDED}
    if not others or (records.get(SUCCEEDED) and others.keys() == {CANCELED}):
        return None
    total = sum(records.values())
    if records.get(SUCCEEDED):
        line = f"{sum(others.values()):,} of {plural(total, 'request')} did not succeed ({by_type(others)})"
    else:
        line = f"none of {plural(total, 'request')} succeeded ({by_type(others)})"
    commonest = max(messages, key=lambda message: messages[message], default="")
    if commonest:
        shown = commonest if len(commonest) <= LONGEST else commonest[:LONGEST] + "..."
        line += f", {messages[commonest]:,} with {escaped(shown)}"
    return f"{line}; {_advice(others, commonest)}"


def _advice(others: Mapping[str, int], commonest: str) -> str:
    """What to do about them."""
    passing = commonest.partition(":")[0] in RETRIED if commonest else ERRORED not in others and EXPIRED in others
    if passing:
        return "another try may help: `streamer retry --requests FILE` makes a file of them"
    if ERRORED in others:
        return "mend these requests and submit them again, unchanged they would fail again"
    return "submit them again to have them answered"
