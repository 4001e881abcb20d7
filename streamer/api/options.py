"""What can be chosen about a client, beside its key and where the API is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from streamer.api.retry import RetryPolicy
from streamer.api.transport import Timeouts


@dataclass(frozen=True, kw_only=True)
class ClientOptions:
    """How a client talks to the API.

    Attributes:
        anthropic_version: the API version to ask for.
        trusted_hosts: other hosts (`host` or `host:port`) that results may be fetched from, without the key.
        rebase_results: ask for results at the results endpoint under the base URL and ignore what host a results_url
            names; for gateways that pass on a results_url which is not theirs, or not to be reached.
        requests_per_minute: the limit of the API's usage tier; half a minute's worth may go at once.
        retry: how patient to be.
        timeouts: how long the network may be silent.
        allow_http: allow plain http to a base URL that is not on this machine.

    Example:
        >>> options = ClientOptions(requests_per_minute=4000, trusted_hosts=["results.example.com"])
    """

    anthropic_version: str = "2023-06-01"
    trusted_hosts: Collection[str] = ()
    rebase_results: bool = False
    requests_per_minute: int = 1000
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    allow_http: bool = False
