"""The proxy that requests go through, when the user asks for one: named, or the one that the environment names.

Only requests by https go through it, as a tunnel (CONNECT), in which it sees the host and nothing else. Plain http it
would read, key and all, so that is refused.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment
from urllib.request import proxy_bypass_environment as excepted  # type: ignore[attr-defined]  # typeshed lacks it

from streamer.api.origin import UNSAFE_URL, Origin
from streamer.api.secret import HeaderText, Secret, Secrets, refuse_key
from streamer.errors import ConfigurationError

ENVIRONMENT = "environment"
FORM = "it looks like http://[USER:PASSWORD@]HOST:PORT"


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy, its credentials apart from its address."""

    url: str  # without user name and password
    origin: Origin
    authorization: HeaderText | None = None

    def headers(self) -> dict[str, str]:
        """What it is told with the request for a tunnel."""
        return {} if self.authorization is None else {"proxy-authorization": self.authorization}

    @classmethod
    def parse(cls, url: Secret, secrets: Secrets, *, source: str) -> Proxy:
        """Read a proxy's URL; one without a scheme is taken for http, as other programs do.

        Args:
            url: e.g. `http://proxy.example:3128`; held, as frames of what raises show no password.
            secrets: are told of its password.
            source: where the URL is from, for messages: e.g. `HTTPS_PROXY`.

        Raises:
            ConfigurationError: it is none, or one of a kind that is not spoken here; it is not in the message.
        """
        parsed = _parts(url)
        if isinstance(parsed, str):
            raise ConfigurationError(f"the proxy of {source} {parsed}; {FORM}")
        origin, password, login = parsed
        refuse_key(origin.host, f"the proxy of {source}")
        for one in (password, login):
            if one is not None:
                secrets.add(one)
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        authorization = login.header("Basic ") if login is not None else None
        return cls(f"{origin.scheme}://{host}:{origin.port}", origin, authorization)


class Proxies:
    """Which requests go through which proxy."""

    def __init__(self, named: Proxy | None, found: Proxy | None, *, variable: str = "") -> None:
        self._named = named
        self._found = found  # in the environment, and asked for
        self._variable = variable  # that names a proxy which nobody asked for

    def __repr__(self) -> str:
        proxy = self._named or self._found
        return f"<Proxies: {proxy.url if proxy is not None else 'none'}>"

    @classmethod
    def choose(cls, proxy: str | None, secrets: Secrets) -> Proxies:
        """What the user asks for: nothing, a proxy's URL, or `environment`.

        The environment's are HTTPS_PROXY, else ALL_PROXY, but for the hosts in NO_PROXY; lower case wins.

        Raises:
            ConfigurationError: it is no proxy.
        """
        variable, found = _environment()
        if proxy is None:
            return cls(None, None, variable=variable)
        if proxy != ENVIRONMENT:
            named = Secret(proxy.strip())
            del proxy
            return cls(Proxy.parse(named, secrets, source="--proxy (in a program: proxy=)"), None)
        return cls(None, Proxy.parse(found, secrets, source=variable) if found is not None else None)

    @property
    def asked_for(self) -> bool:
        """Whether any request may go through a proxy; a session that is given to the client has its own."""
        return self._named is not None or self._found is not None

    def told(self, base: Origin) -> str:
        """What whoever asked for a proxy is told of it; empty when nobody did.

        Raises:
            ConfigurationError: one is named, but the API is asked by plain http.
        """
        if self._named is not None and base.scheme == "http":
            raise ConfigurationError(
                f"the base URL is plain http ({base}), so that the proxy {self._named.origin} could read the key: use "
                "https, or no proxy"
            )
        if (proxy := self.of(base)) is not None:
            return f"requests go through the proxy {proxy.url}"
        if self._found is not None:
            why = "plain http" if base.scheme == "http" else "in NO_PROXY"
            return f"requests do not go through the proxy {self._found.url}: {base} is {why}"
        return ""

    def of(self, destination: Origin) -> Proxy | None:
        """The proxy for requests to an origin; None when they go there straight."""
        if destination.scheme != "https":
            return None
        if self._found is not None and _excepted(destination):
            return None
        return self._named or self._found

    def hint(self, destination: Origin) -> str:
        """What to say when an origin cannot be reached straight: that a proxy which could is known and not used."""
        if not self._variable or destination.scheme != "https" or _excepted(destination):
            return ""
        return f"{self._variable} is set and not used; --proxy {ENVIRONMENT} uses it"


def _environment() -> tuple[str, Secret | None]:
    """The variable that names a proxy for https, and its value."""
    found = getproxies_environment()
    for kind in ("https", "all"):
        if found.get(kind):
            return f"{kind.upper()}_PROXY", Secret(found[kind].strip())
    return "", None


def _excepted(destination: Origin) -> bool:
    return bool(excepted(f"{destination.host}:{destination.port}"))


def _parts(secret: Secret) -> tuple[Origin, Secret | None, Secret | None] | str:
    """A proxy's origin, its password, and its user name and password as they are sent; or what is wrong with it."""
    text = str(secret.header())
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        text = f"http://{text}"
    try:
        parts: SplitResult = urlsplit(text)
        origin = Origin.of(parts)
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https"):
        return f"is of the kind {parts.scheme[:20]!r}, and only http and https proxies are spoken to"
    if UNSAFE_URL.search(text) or not origin.host or parts.path.strip("/") or parts.query or parts.fragment:
        return "is not an address alone"
    if parts.username is None:
        return origin, None, None
    user, password = unquote(parts.username), unquote(parts.password or "")
    login = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return origin, Secret(password) if password else None, Secret(login)
