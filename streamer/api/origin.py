"""Which URLs are asked, and which of them get the key: plain functions over text.

The key goes to the origin (scheme, host, port) of the base URL and nowhere else. A results_url or a redirect that
leads to another host is followed only when the user named that host as trusted, and then without the key; or the
user has said that results are where the API is, whatever host a results_url names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import SplitResult, urldefrag, urlencode, urljoin, urlsplit

from streamer.api.secret import refuse_key
from streamer.errors import ConfigurationError, UntrustedHostError

DEFAULT_BASE_URL = "https://api.anthropic.com"
MESSAGES_PATH = "/v1/messages"
BATCHES_PATH = f"{MESSAGES_PATH}/batches"
DEFAULT_PORTS = {"http": 80, "https": 443}

# The API's own ids are `msgbatch_` and some base58; it reserves the right to change that. What matters here is
# that an id is one harmless segment of a URL's path: no dot, slash, percent sign or query.
BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# urllib drops tabs and newlines from URLs without a word, and a backslash is a slash to some servers only.
UNSAFE_URL = re.compile(r"[^\x21-\x7e]|[\\<>\"^`{|}]")
TRUSTED_HOST = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Origin:
    """The part of a URL that decides who is spoken to."""

    scheme: str
    host: str  # lower case, without brackets
    port: int

    @classmethod
    def of(cls, parts: SplitResult) -> Origin:
        """The origin of a split URL; `ValueError` when the port is no port."""
        port = parts.port if parts.port is not None else DEFAULT_PORTS.get(parts.scheme, 0)
        return cls(parts.scheme, (parts.hostname or "").lower(), port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether the host can only be this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL that may be asked, sent verbatim, where that is, and whether the key may go along."""

    url: str
    origin: Origin
    with_key: bool


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Where the API is: an origin and perhaps a path that a gateway puts before the API's own."""

    url: str  # without a final slash
    origin: Origin

    @classmethod
    def parse(cls, url: str, *, allow_http: bool = False) -> BaseUrl:
        """Check a base URL, e.g. `https://api.anthropic.com` or `https://gateway.example/anthropic`.

        Raises:
            ConfigurationError: not an http(s) URL with a host, or with user name, query or fragment; or plain http
                to another machine while `allow_http` is false, because the key would cross the network in clear.
        """
        text = url.strip()
        problem = ""
        refuse_key(text, "the base URL")
        try:
            parts = urlsplit(text)
            origin = Origin.of(parts)
        except ValueError:
            raise ConfigurationError("the base URL is not a URL; it looks like https://host[:port][/path]") from None
        if UNSAFE_URL.search(text) or parts.scheme not in DEFAULT_PORTS or not origin.host:
            problem = "does not begin with https:// (or http://) and a host; it looks like https://host[:port][/path]"
        elif "@" in parts.netloc:
            problem = "holds a user name or password; pass the key as api_key= or in ANTHROPIC_API_KEY"
        elif parts.query or parts.fragment:
            problem = "holds a query or a fragment; it looks like https://host[:port][/path]"
        elif parts.scheme == "http" and not (origin.loopback or allow_http):
            problem = f"is plain http to {origin.host}, so the key would be readable on the way; use https"
        if problem:
            raise ConfigurationError(f"the base URL {problem}")
        return cls(text.rstrip("/"), origin)

    def messages(self) -> Destination:
        """The endpoint for one message at once."""
        return Destination(self.url + MESSAGES_PATH, self.origin, with_key=True)

    def batches(self, **query: str | int | None) -> Destination:
        """The list and create endpoints; parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        url = f"{self.url}{BATCHES_PATH}" + (f"?{urlencode(given)}" if given else "")
        return Destination(url, self.origin, with_key=True)

    def batch(self, batch_id: str, action: str = "") -> Destination:
        """One batch, or an action on it such as `/cancel`; `ConfigurationError` for what is not an id."""
        url = f"{self.url}{BATCHES_PATH}/{checked_batch_id(batch_id)}{action}"
        return Destination(url, self.origin, with_key=True)


def checked_batch_id(batch_id: str) -> str:
    """`batch_id` itself when it can stand in a URL's path.

    Raises:
        ConfigurationError: it cannot; nothing is sent then.
    """
    refuse_key(batch_id, "what was given as a batch id")
    if not isinstance(batch_id, str) or not BATCH_ID.fullmatch(batch_id):
        shown = ascii(batch_id)[:80]
        raise ConfigurationError(
            f"{shown} is not a batch id: one is made of letters, digits, - and _, e.g. msgbatch_01MxdL3LT4Dizo9t3j6F"
        )
    return batch_id


def checked_trusted_hosts(hosts: Collection[str]) -> frozenset[str]:
    """The hosts in the form `destination` compares with: lower case `host` or `host:port`.

    Raises:
        ConfigurationError: one of them is more or less than that.
    """
    if isinstance(hosts, str):
        raise ConfigurationError("trusted_hosts is a collection of host names, not one string")
    for host in hosts:
        refuse_key(host, "a host to trust")
        if not TRUSTED_HOST.fullmatch(host):
            raise ConfigurationError(
                f"{ascii(host)[:80]} is not a host to trust; give a bare name such as results.example.com, or host:port"
            )
    return frozenset(host.lower() for host in hosts)


def results_destination(
    batch_id: str, results_url: str, base: BaseUrl, trusted_hosts: Collection[str], *, rebase: bool
) -> Destination:
    """Where the results of a batch are asked for.

    Args:
        batch_id: the batch.
        results_url: what the server gave for it.
        base: where the API is.
        trusted_hosts: as `checked_trusted_hosts` returns them.
        rebase: go to the results endpoint under the base URL and not by the results_url. A gateway may pass on the
            results_url of the API behind it, or name itself by a host that only its own network knows; its key is
            good at the gateway only (BerriAI/litellm pull 29609, stdapi-ai/stdapi.ai issue 161).

    Raises:
        UntrustedHostError: the results_url leads elsewhere; the message names the options that would help.
        ConfigurationError: to be rebased, and `batch_id` cannot stand in a URL.
    """
    if rebase:
        return base.batch(batch_id, "/results")
    try:
        return destination(results_url, base, trusted_hosts, what=f"results_url of {batch_id}")
    except UntrustedHostError as error:
        raise UntrustedHostError(
            f"{error}. If the API is reached through a gateway, --rebase-results asks for them at {base.origin}"
        ) from None


def destination(
    url: str, base: BaseUrl, trusted_hosts: Collection[str], *, what: str, relative_to: str | None = None
) -> Destination:
    """Decide whether a URL that a server gave us may be asked, and whether with the key.

    Args:
        url: a results_url or a redirect's Location; a relative one is resolved as RFC 3986 says.
        base: where the API is.
        trusted_hosts: as `checked_trusted_hosts` returns them; asked without the key.
        what: what kind of URL it is, for the error, e.g. `results_url of msgbatch_1`.
        relative_to: what a relative URL starts from; the base URL, as a folder, by default.

    Raises:
        UntrustedHostError: the URL leads elsewhere, or is not a URL to fetch results from.
    """
    try:
        if not url or UNSAFE_URL.search(url):
            raise ValueError(url)
        joined, _ = urldefrag(urljoin(relative_to or base.url + "/", url))
        parts = urlsplit(joined)
        origin = Origin.of(parts)
    except ValueError:
        raise UntrustedHostError(f"{what}: what the server gave is not a URL; nothing was sent") from None
    if origin == base.origin and "@" not in parts.netloc:
        return Destination(joined, origin, with_key=True)
    problem = _problem(parts, origin)
    if problem:
        raise UntrustedHostError(f"{what}: {problem}; nothing was sent there")
    bare = f"[{origin.host}]" if ":" in origin.host else origin.host
    if bare in trusted_hosts or f"{bare}:{origin.port}" in trusted_hosts:
        return Destination(joined, origin, with_key=False)
    raise UntrustedHostError(
        f"{what}: it is on {origin}, but the API is {base.origin}; nothing was sent there. "
        f"If results may come from that host, allow it with --trust-host {origin} (it does not get the key)"
    )


def _problem(parts: SplitResult, origin: Origin) -> str:
    """Why a URL may not be asked even on a host that is trusted; empty when it may."""
    if parts.scheme not in DEFAULT_PORTS or not origin.host:
        return f"it is of the kind {parts.scheme or 'none'}:, not https with a host"
    if "@" in parts.netloc:
        return f"it holds a user name, on {origin}"
    if parts.scheme == "http" and not origin.loopback:
        return f"it is plain http on {origin}, not https"
    return ""
