"""The key: where it is found, what makes it unusable, and how it is kept out of everything but a request.

It is held in a `Secret`, which shows nothing, and leaves it only as a header value made for one request. The
header value prints as `****` too, because frames of the HTTP library hold it and crash reporters print locals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NoReturn

from streamer.api.masking import MASK, looks_like_key, masked, printable
from streamer.errors import ConfigurationError

UNLIKELY = 16  # characters that stand in no answer by chance
NO_KEY = (
    "no API key: set ANTHROPIC_API_KEY (or ANTHROPIC_AUTH_TOKEN for a bearer token) in the environment; "
    "a program can pass Client(api_key=...)"
)


def refuse_key(text: object, what: str) -> None:
    """See that what is about to be sent, kept or shown is not a key that was put into the wrong place.

    Raises:
        ConfigurationError: it looks like one; `what` says where it was, and nothing of it is in the message.
    """
    if isinstance(text, str) and looks_like_key(text):
        raise ConfigurationError(
            f"{what} looks like an API key, so nothing was sent: the key belongs into ANTHROPIC_API_KEY, and this one "
            "should be revoked if others can have seen it"
        )


class HeaderText(str):
    """A header value that is sent as it is and printed as `****`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a header that holds a key is not pickled or copied")


class Secret:
    """Text that is shown to nobody: its `repr` and `str` are `****`, and it cannot be pickled or copied."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return MASK

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")

    def header(self, prefix: str = "") -> HeaderText:
        """The text as a header value, after `prefix`."""
        return HeaderText(prefix + self._text)

    def scrub(self, text: str) -> str:
        """`text` with every piece of the secret masked: a server may echo what it was sent."""
        return masked(text, [self._text])

    def printable(self, text: str, limit: int) -> str:
        """Text from outside made fit to show, at most `limit` characters of it, and none of the secret."""
        return printable(text, limit, [self._text])

    def stands_in(self, text: str) -> bool:
        """Whether the secret is part of `text`, and too long to be there by chance."""
        return len(self._text) >= UNLIKELY and self._text in text

    def without(self, body: bytes) -> bytes:
        """`body` with the secret masked, where it stands whole and is too long to be there by chance."""
        return body.replace(self._text.encode(), MASK.encode()) if len(self._text) >= UNLIKELY else body

    def mark(self) -> str:
        """64 bits of a hash of the text: it tells keys apart and nothing about them, as a key is long and random."""
        return hashlib.sha256(b"streamer key mark " + self._text.encode()).hexdigest()[:16]

    def problem(self) -> str:
        """Why the text cannot be a key, without showing any of it; empty when it can."""
        if not self._text:
            return "is empty"
        if not self._text.isascii():
            return "holds characters that are not ASCII"
        if any(character in "\"'`" for character in self._text):
            return "holds quotes; set it without them"
        if any(character <= " " or character == "\x7f" for character in self._text):
            return "holds white space or control characters; was more than one line pasted?"
        return ""


class Credentials:
    """One key and how it is sent. `find` never raises, so that no traceback can hold a clear key; `check` does."""

    __slots__ = ("_bearer", "_secret", "source")

    def __init__(self, secret: Secret | None, *, bearer: bool, source: str) -> None:
        self._secret = secret
        self._bearer = bearer
        self.source = source

    @classmethod
    def find(cls, api_key: str | None, auth_token: str | None, environ: Mapping[str, str]) -> Credentials:
        """The key to use, as the official client chooses it.

        An argument wins over the whole environment; in the environment ANTHROPIC_API_KEY (sent as `x-api-key`)
        wins over ANTHROPIC_AUTH_TOKEN (sent as `Authorization: Bearer`); an empty variable counts as unset.
        White space around the text is dropped.
        """
        if api_key is not None and auth_token is not None:
            return cls(None, bearer=False, source="api_key and auth_token")
        if api_key is not None:
            return cls(Secret(api_key.strip()), bearer=False, source="api_key")
        if auth_token is not None:
            return cls(Secret(auth_token.strip()), bearer=True, source="auth_token")
        for name, bearer in (("ANTHROPIC_API_KEY", False), ("ANTHROPIC_AUTH_TOKEN", True)):
            if environ.get(name):
                return cls(Secret(environ[name].strip()), bearer=bearer, source=name)
        return cls(None, bearer=False, source="")

    def __repr__(self) -> str:
        return f"<Credentials from {self.source or 'nowhere'}>"

    def check(self) -> None:
        """See that there is a usable key.

        Raises:
            ConfigurationError: there is none; the message shows nothing of it.
        """
        if self._secret is None:
            raise ConfigurationError(f"pass only one of {self.source}" if self.source else NO_KEY)
        if problem := self._secret.problem():
            raise ConfigurationError(f"the key in {self.source} {problem}")

    def headers(self) -> dict[str, str]:
        """The header that authenticates one request; only for a URL that passed the origin check."""
        if self._secret is None:
            return {}
        if self._bearer:
            return {"authorization": self._secret.header("Bearer ")}
        return {"x-api-key": self._secret.header()}

    def mark(self) -> str:
        """What tells this key from others without saying anything about it; empty when there is none."""
        return "" if self._secret is None else self._secret.mark()

    def scrub(self, text: str) -> str:
        """`text` without the key."""
        return self._secret.scrub(text) if self._secret is not None else text

    def printable(self, text: str, limit: int) -> str:
        """Text from outside made fit to show, at most `limit` characters of it, and none of the key."""
        return self._secret.printable(text, limit) if self._secret is not None else printable(text, limit)

    def check_absent(self, text: object, what: str) -> None:
        """See that `text` is no key, this one or another, which shall not be part of a URL.

        Raises:
            ConfigurationError: it is; `what` says where it was, and nothing of it is in the message.
        """
        refuse_key(text, what)
        if isinstance(text, str) and self._secret is not None and self._secret.stands_in(text):
            raise ConfigurationError(f"{what} holds the key in {self.source}, so nothing was sent")

    def without(self, body: bytes) -> bytes:
        """An answer with the key masked, as ids, URLs and words of it are shown in many places."""
        return self._secret.without(body) if self._secret is not None else body
