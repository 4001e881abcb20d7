"""What can be chosen about a client, beside its key and where the API is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from streamer.api.retry import RetryPolicy
from streamer.api.transport import Timeouts


@dataclass(frozen=True, kw_only=True)
class ClientOptions:
    """How a client talks to the API.

    Attributes:
        anthropic_version: the API version to ask for.
        betas: names of betas to ask for with every request to the API, in the header `anthropic-beta`, e.g.
            `output-300k-2026-03-24`.
        headers: further headers of every request to the API, by name: what a gateway wants, or the
            `anthropic-workspace-id` of a cloud platform. Their values are as secret as the key: sent to the API's own
            origin and nowhere else, shown nowhere.
        proxy: the proxy to reach the API by, `http://[USER:PASSWORD@]HOST:PORT`; or `"environment"`, for what
            HTTPS_PROXY, ALL_PROXY and NO_PROXY say. None, whatever they say, unless it is asked for. It carries https
            only, in a tunnel, so that it never sees the key.
        trusted_hosts: other hosts (`host` or `host:port`) that results may be fetched from, without the key.
        rebase_results: ask for results at the results endpoint under the base URL and ignore what host a results_url
            names; for gateways that pass on a results_url which is not theirs, or not to be reached.
        requests_per_minute: the limit of the API's usage tier; half a minute's worth may go at once.
        retry: how patient to be.
        timeouts: how long the network may be silent.
        allow_http: allow plain http to a base URL that is not on this machine.

    Whom certificates may be signed by is for the environment to say: SSL_CERT_FILE and SSL_CERT_DIR in place of the
    system's authorities, or REQUESTS_CA_BUNDLE beside them.

    Example:
        >>> options = ClientOptions(betas=["output-300k-2026-03-24"], headers={"x-team": "secret"}, proxy="environment")
        >>> "secret" in repr(options)
        False
    """

    anthropic_version: str = "2023-06-01"
    betas: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str | None = field(default=None, repr=False)
    trusted_hosts: Collection[str] = ()
    rebase_results: bool = False
    requests_per_minute: int = 1000
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    allow_http: bool = False
