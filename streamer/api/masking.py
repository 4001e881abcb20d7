"""How text from outside becomes text to show: no secret in it, then nothing that drives a terminal, then cut.

In this order, as a cut through a secret leaves a piece that nobody recognises any more. A server may echo what it was
sent, whole or in part, and as JSON, a URL, HTML, base64 or hexadecimal have it, so that any piece of `PIECE` characters
is looked for in all of these.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable

MASK = "****"
PIECE = 8  # characters of a secret that are too many to show, wherever a cut left them
AHEAD = 1024  # characters that are looked at beyond those that may be shown, as masks make text shorter

# The keys of the API and its tokens: `sk-ant-api03-` and 95 characters more, `sk-ant-oat01-...`, `sk-ant-admin01-...`.
REAL_KEY = re.compile(r"sk-ant-[A-Za-z0-9_-]{6,}", re.ASCII | re.IGNORECASE)
# One character, perhaps written as URLs, JSON or HTML write those they cannot hold.
CHARACTER = re.compile(
    r"""%(?P<percent>[0-9A-F]{2}) | \\(?:u00|x)(?P<escape>[0-9A-F]{2}) | \\(?P<quoted>["'\\/])
    | &\#x0*(?P<entity_hex>[0-9A-F]{2}); | &\#0*(?P<entity>[0-9]{2,3}); | (?P<plain>.)""",
    re.ASCII | re.IGNORECASE | re.DOTALL | re.VERBOSE,
)

Printable = Callable[[str, int], str]
"""Makes text from outside fit to show, with so many characters at most."""


def masked(text: str, secrets: Iterable[str]) -> str:
    """`text` with every piece of the secrets, and all that looks like a key of the API, turned into `MASK`.

    >>> masked("you sent sk-canary-0123 or sk%2Dcanary%2D0123, cut: nary-0123", ["sk-canary-0123"])
    'you sent **** or ****, cut: ****'
    >>> masked("and sk-ant-api03-somebodyelses", [])
    'and ****'
    """
    forms: list[str] = []
    for secret in filter(None, secrets):
        if len(secret) < PIECE:
            text = text.replace(secret, MASK)
        else:
            forms += _forms(secret)
    if forms:
        text = _without_pieces(text, "\n".join(forms).lower())
    return REAL_KEY.sub(MASK, text)


def printable(text: str, limit: int, secrets: Iterable[str] = ()) -> str:
    r"""`text` fit for a terminal, a log and an error: masked, unprintable characters escaped, then cut.

    >>> printable("sk-canary-0123 \x1b[31m and more", 16, ["sk-canary-0123"])
    '**** \\x1b[31m and...'

    Args:
        text: of any length; a long way beyond `limit` it is not looked at.
        limit: characters of the text that are shown at most; `...` follows when there were more.
        secrets: what may not be shown.
    """
    text = text.strip()
    ahead = limit + AHEAD
    shown = masked(text[:ahead], secrets)
    if len(text) > ahead:
        shown = shown[: -(PIECE - 1)]  # fewer characters of a secret than are looked for, where this cut it
    cut = len(text) > ahead or len(shown) > limit
    return escaped(shown[:limit].strip()) + ("..." if cut else "")


def escaped(text: str) -> str:
    r"""`text` on one line, with everything that is not printable written as Python would.

    >>> escaped("red: \x1b[31m, next\nline")
    'red: \\x1b[31m, next\\nline'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def looks_like_key(text: str) -> bool:
    """Whether a key of the API stands somewhere in `text`.

    >>> looks_like_key("sk-ant-api03-abcdef"), looks_like_key("msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d")
    (True, False)
    """
    return REAL_KEY.search(text) is not None


def _forms(secret: str) -> list[str]:
    """The secret as text, in hexadecimal, and in base64 wherever in a longer text it stands."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = [secret, raw.hex()]
    for before in range(3):
        # The characters at either end also hold bits of what stands beside the secret.
        encoded = base64.b64encode(b"\0" * before + raw).decode("ascii").rstrip("=")[(0, 2, 3)[before] :]
        forms += {encoded, encoded.replace("+", "-").replace("/", "_")}
    return forms


def _without_pieces(text: str, forms: str) -> str:
    """`text` with all that `PIECE` characters in a row show to be of the `forms`, which are in lower case, masked."""
    spans = []  # of each character in the text, which may be written in several
    characters = []
    for match in CHARACTER.finditer(text):
        spans.append(match.span())
        characters.append(_character(match))
    plain = "".join(characters)
    parts: list[str] = []
    begin, end = 0, 0  # of the mask that grows, in the characters
    copied = 0  # of the text, up to there

    def close() -> None:
        nonlocal copied
        if end > begin:
            parts.extend((text[copied : spans[begin][0]], MASK))
            copied = spans[end - 1][1]

    for at in range(len(plain) - PIECE + 1):
        if plain[at : at + PIECE] in forms:
            if at > end or end == 0:
                close()
                begin = at
            end = at + PIECE
    close()
    return "".join(parts) + text[copied:]


def _character(match: re.Match[str]) -> str:
    """The one character that `CHARACTER` found, in lower case where ASCII has one."""
    kind, written = match.lastgroup, match[match.lastgroup or 0]
    if kind in ("percent", "escape", "entity_hex"):
        written = chr(int(written, 16))
    elif kind == "entity":
        written = chr(int(written))
    return written.lower() if written.isascii() else written
