"""What nobody may be shown: held so that no repr has it, and looked for in all text that comes from outside."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import NoReturn

from streamer.api.masking import MASK, looks_like_key, masked, printable
from streamer.errors import ConfigurationError

UNLIKELY = 16  # characters that stand nowhere by chance
TOKENS_KEPT = 32  # of those that expire, the newest; a server may echo one that has been replaced


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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def header(self, prefix: str = "") -> HeaderText:
        """The text as a header value, after `prefix`."""
        return HeaderText(prefix + self._text)

    def scrub(self, text: str) -> str:
        """`text` with every piece of the secret masked: a server may echo what it was sent."""
        return masked(text, [self._text])

    def mark(self, beside: str = "") -> str:
        """64 bits of a hash of the text: it tells keys apart and nothing about them, as a key is long and random.

        Args:
            beside: what else tells this use of the key from others.
        """
        return hashlib.sha256(f"streamer key mark {self._text} {beside}".encode()).hexdigest()[:16]

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


class Secrets:
    """All that one client must not show: its key or the tokens it was given so far, headers, a proxy's password."""

    __slots__ = ("_lasting", "_passing")

    def __init__(self) -> None:
        self._lasting: list[Secret] = []
        self._passing: deque[Secret] = deque(maxlen=TOKENS_KEPT)

    def __repr__(self) -> str:
        return f"<Secrets, {len(self._lasting) + len(self._passing)} of them>"

    def add(self, secret: Secret) -> None:
        """Never show this one."""
        self._lasting.append(secret)

    def add_passing(self, secret: Secret) -> None:
        """Never show this one either, which will be followed by others."""
        if secret not in self._passing:
            self._passing.append(secret)

    def scrub(self, text: str) -> str:
        """`text` with every piece of a secret masked."""
        return masked(text, self._texts())

    def printable(self, text: str, limit: int) -> str:
        """Text from outside made fit to show, at most `limit` characters of it, and nothing secret."""
        return printable(text, limit, self._texts())

    def without(self, body: bytes) -> bytes:
        """A good answer with secrets masked that stand in it whole, as its ids and URLs are shown in many places."""
        for text in self._texts():
            if len(text) >= UNLIKELY:
                body = body.replace(text.encode(), MASK.encode())
        return body

    def check_absent(self, text: object, what: str) -> None:
        """See that `text`, which is about to be part of a URL, is no secret.

        Raises:
            ConfigurationError: it is, or is somebody's key; `what` says where it was, without showing any of it.
        """
        refuse_key(text, what)
        if isinstance(text, str) and any(len(one) >= UNLIKELY and one in text for one in self._texts()):
            raise ConfigurationError(f"{what} holds a key or a header's secret value, so nothing was sent")

    def _texts(self) -> Iterator[str]:
        for secret in (*self._lasting, *self._passing):
            yield secret._text  # noqa: SLF001 - for no longer than a comparison
