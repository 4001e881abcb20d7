"""What a client is made with: of the right kinds, and told where it changes what is sent or by which way."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

import aiohttp

from streamer.api.options import ClientOptions
from streamer.api.origin import BaseUrl
from streamer.api.retry import RetryPolicy
from streamer.api.transport import Timeouts, Way
from streamer.errors import ConfigurationError

log = logging.getLogger("streamer.api")


def checked_options(session: object, base_url: object, options: object) -> ClientOptions:
    """The options of a client, and its arguments of the kinds that they must be.

    Raises:
        ConfigurationError: they are not, or contradict each other.
    """
    if not isinstance(options, ClientOptions | None):
        raise ConfigurationError(f"options is a {type(options).__name__}; it must be ClientOptions")
    options = options or ClientOptions()
    _check(options)
    if not isinstance(base_url, str | None):
        raise ConfigurationError(f"base_url is a {type(base_url).__name__}; it must be text")
    if not isinstance(session, aiohttp.ClientSession | None):
        raise ConfigurationError(f"session is a {type(session).__name__}; it must be an aiohttp.ClientSession")
    if session is not None and options.proxy is not None:
        raise ConfigurationError("a session that is given has its own proxies: give the proxy to it, not as an option")
    return options


def log_choices(betas: Sequence[str], headers: Sequence[str], way: Way, base: BaseUrl, *, own_session: bool) -> None:
    """Log what goes with the requests and which way they take, beyond what everybody's do.

    Raises:
        ConfigurationError: a proxy or an authority that cannot be used.
    """
    if betas:
        log.info("betas asked for: %s", ", ".join(betas), extra={"action": "betas"})
    if headers:
        log.info("headers sent with each request: %s", ", ".join(headers), extra={"action": "headers"})
    if proxy := way.proxies.told(base.origin):
        log.info("%s", proxy, extra={"action": "proxy"})
    if own_session and base.origin.scheme == "https" and way.authorities.paths:
        way.authorities.check()
        log.info("certificates are checked by %s", way.authorities, extra={"action": "authorities"})


def _check(options: ClientOptions) -> None:
    """See that each option is of the kind it must be; what is wrong inside them is found where they are used.

    Raises:
        ConfigurationError: one is not.
    """
    for name, value, kinds, wanted in (
        ("anthropic_version", options.anthropic_version, str, "text such as 2023-06-01"),
        ("trusted_hosts", options.trusted_hosts, Collection, "a collection of host names"),
        ("proxy", options.proxy, str | None, "a URL, or 'environment'"),
        ("requests_per_minute", options.requests_per_minute, int, "a number"),
        ("retry", options.retry, RetryPolicy, "a RetryPolicy"),
        ("timeouts", options.timeouts, Timeouts, "Timeouts"),
    ):
        if not isinstance(value, kinds):
            raise ConfigurationError(f"{name} is a {type(value).__name__}; it must be {wanted}")
