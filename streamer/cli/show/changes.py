"""What came to a project since some of its requests were sent."""

from __future__ import annotations

from streamer.cli.show.formatting import plural
from streamer.requests.changes import Changes


def new_requests(changes: Changes) -> str:
    """How many requests are sent of those of now.

    >>> new_requests(Changes(same=1000, new=3))
    '3 new requests are sent; 1,000 were sent before and are not sent again'
    """
    new = f"{plural(changes.new, 'new request')} {'is' if changes.new == 1 else 'are'} sent"
    return f"{new}; {changes.same:,} {'was' if changes.same == 1 else 'were'} sent before and are not sent again"
