"""The key: where it is found, what makes it unusable, and what goes with a request to the API because of it.

It is held in a `Secret`, which shows nothing, and leaves it only as a header value made for one request. The
header value prints as `****` too, because frames of the HTTP library hold it and crash reporters print locals.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from streamer.api.headers import checked_headers, held_headers
from streamer.api.onloop import OnLoop
from streamer.api.secret import HeaderText, Secret, Secrets
from streamer.errors import ConfigurationError

KeyProvider = Callable[[], str | Awaitable[str]]
"""Gives a key or token that is good now; asked before each request, on the event loop."""

BEARER, API_KEY = "authorization", "x-api-key"
SHOWN = 200  # characters of what a provider's error says
NO_KEY = (
    "no API key: set ANTHROPIC_API_KEY (or ANTHROPIC_AUTH_TOKEN for a bearer token) in the environment; "
    "a program can pass Client(api_key=...)"
)


@dataclass(frozen=True, slots=True)
class NoKey:
    """The one who is asked for the key has none just now, and why, in words fit to show."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Found:
    """A key, or the one who gives it, and where it was; or why it cannot be used."""

    key: Secret | KeyProvider | None = None
    bearer: bool = False
    source: str = ""
    problem: str = ""


WORKSPACE = "anthropic-workspace-id"  # the header that chooses one, for keys that are good for several


class Credentials:
    """One key, how it is sent, and what else goes to the API alone.

    `find` never raises, so that no traceback can hold a clear key; `check` does.

    Attributes:
        source: where the key comes from, for messages.
        secrets: all that may not be shown.
    """

    __slots__ = ("_bearer", "_extra", "_held", "_problem", "_provider", "_secret", "_turn", "secrets", "source")

    def __init__(self, found: _Found, held: Mapping[str, HeaderText | str]) -> None:
        self._secret = found.key if isinstance(found.key, Secret) else None
        self._provider = None if isinstance(found.key, Secret) else found.key
        self._bearer = found.bearer
        self._problem = found.problem
        self._held = held
        self._extra: dict[str, str] = {}
        self._turn = OnLoop(asyncio.Lock)  # one asks at a time: few refresh a token twice at once in good order
        self.source = found.source
        self.secrets = Secrets()
        if self._secret is not None:
            self.secrets.add(self._secret)

    @classmethod
    def find(
        cls,
        api_key: str | KeyProvider | None,
        auth_token: str | KeyProvider | None,
        environ: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> Credentials:
        """The key to use, as the official client chooses it.

        An argument wins over the whole environment; in the environment ANTHROPIC_API_KEY (sent as `x-api-key`)
        wins over ANTHROPIC_AUTH_TOKEN (sent as `Authorization: Bearer`); an empty variable counts as unset.
        White space around the text is dropped. Without any of them one of the `headers` may be the key.
        """
        held = held_headers({} if headers is None else headers)
        found = _found(api_key, auth_token, environ)
        if not found.source:
            names = [name for name in (API_KEY, BEARER) if isinstance(held.get(name), HeaderText)]
            found = _Found(source=f"the header {names[0]}") if names else _Found(problem=NO_KEY)
        return cls(found, held)

    def __repr__(self) -> str:
        return f"<Credentials from {self.source or 'nowhere'}>"

    @property
    def renewable(self) -> bool:
        """Whether another key may be had when this one is refused."""
        return self._provider is not None

    def check(self, betas: Mapping[str, str] | None = None) -> list[str]:
        """See that there is a usable key and that all headers can be sent, `betas` among them.

        Returns:
            The names of the headers that the user gave.

        Raises:
            ConfigurationError: there is none, or they cannot; the message shows nothing of them.
        """
        if self._problem:
            raise ConfigurationError(self._problem)
        if self._secret is not None and (problem := self._secret.problem()):
            raise ConfigurationError(f"the key in {self.source} {problem}")
        keyless = self._secret is None and self._provider is None
        key_header = "" if keyless else BEARER if self._bearer else API_KEY
        checked = checked_headers(self._held, self.secrets, key_header=key_header, key_source=self.source)
        self._extra = {**checked, **(betas or {})}
        return list(checked)

    async def headers(self, *, within: float) -> dict[str, str] | NoKey:
        """What goes with one request to the API; only for a URL that passed the origin check.

        Args:
            within: seconds that a callable may take to give the key.

        Raises:
            ConfigurationError: a callable gave something that cannot be a key.
        """
        secret = self._secret
        if self._provider is not None:
            given = await self._provided(self._provider, within)
            if isinstance(given, NoKey):
                return given
            secret = given
        if secret is None:
            return self._extra
        if self._bearer:
            return {**self._extra, BEARER: secret.header("Bearer ")}
        return {**self._extra, API_KEY: secret.header()}

    def mark(self) -> str:
        """What tells this key, and the workspace named beside it, from others without saying anything about them.

        Empty when no key lasts.
        """
        return "" if self._secret is None else self._secret.mark(self._extra.get(WORKSPACE, ""))

    async def _provided(self, provider: KeyProvider, within: float) -> Secret | NoKey:
        """The key that is good now."""
        turn = self._turn.get()
        limit = asyncio.timeout(within)
        try:
            async with limit, turn:
                secret = await _asked(provider)
        except Exception as error:  # noqa: BLE001 - whatever the user's own code raises
            if limit.expired():
                return NoKey(f"{self.source} gave no key within {within:g} s")
            said = self.secrets.printable(str(error), SHOWN)
            return NoKey(f"{self.source} failed: {type(error).__name__}" + (f": {said}" if said else ""))
        if isinstance(secret, str):
            raise ConfigurationError(f"{self.source} gave {secret}, not text")
        self.secrets.add_passing(secret)
        if problem := secret.problem():
            raise ConfigurationError(f"the key that {self.source} gave {problem}")
        return secret


def _found(
    api_key: str | KeyProvider | None, auth_token: str | KeyProvider | None, environ: Mapping[str, str]
) -> _Found:
    """The key that was given, else the environment's; nothing when there is none."""
    both = "api_key and auth_token"
    if api_key is not None and auth_token is not None:
        return _Found(source=both, problem=f"pass only one of {both}")
    for source, given, bearer in (("api_key", api_key, False), ("auth_token", auth_token, True)):
        if isinstance(given, str):
            return _Found(Secret(given.strip()), bearer, source)
        if callable(given):
            return _Found(given, bearer, f"the callable given as {source}")
        if given is not None:
            return _Found(source=source, problem=f"{source} is a {type(given).__name__}, not text or a callable")
    for name, bearer in (("ANTHROPIC_API_KEY", False), ("ANTHROPIC_AUTH_TOKEN", True)):
        if environ.get(name):
            return _Found(Secret(environ[name].strip()), bearer, name)
    return _Found()


async def _asked(provider: KeyProvider) -> Secret | str:
    """What a provider gives, held at once, as the frames that may raise hold it no longer than this; else its kind."""
    given: object = provider()
    if inspect.isawaitable(given):
        given = await given
    return Secret(given.strip()) if isinstance(given, str) else f"a {type(given).__name__}"
