"""What the user wants sent with every request to the API, beside the key: betas, and headers of a gateway's own.

Their values are treated as keys are: sent to the API's own origin and nowhere else, and shown to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from streamer.api.secret import HeaderText, Secret, Secrets, refuse_key
from streamer.errors import ConfigurationError

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110
BETA = re.compile(r"[A-Za-z0-9._-]+")
VALUE = re.compile(r"[\x20-\x7e\t]+")
CREDENTIALS = re.compile(r"[A-Za-z]+ +(\S+)")  # `Bearer ...`: the scheme is no secret
SHORTEST_SECRET = 8  # characters; a shorter value, such as `true`, stands in many texts by chance

# They say how a message is framed, what it is, and who answers: the client sets them as each request needs it.
CLIENTS_OWN = frozenset(
    {"accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"}
    | {"if-range", "keep-alive", "proxy-connection", "range", "te", "trailer", "transfer-encoding", "upgrade"}
)
SAID_OTHERWISE = {
    "anthropic-beta": "a beta is asked for by --beta NAME (in a program: betas=)",
    "proxy-authorization": "a proxy's user name and password belong into its URL",
}


def beta_header(betas: Sequence[str]) -> dict[str, str]:
    """The header that asks for betas, as the official client writes it; none when there are none.

    >>> beta_header(["output-300k-2026-03-24", "context-1m-2025-08-07"])
    {'anthropic-beta': 'output-300k-2026-03-24,context-1m-2025-08-07'}

    Raises:
        ConfigurationError: something is no name of a beta.
    """
    if isinstance(betas, str) or not isinstance(betas, Iterable):
        raise ConfigurationError(f"betas is a sequence of names, not a {type(betas).__name__}; write [NAME]")
    for name in betas:
        refuse_key(name, "the name of a beta")
        if not isinstance(name, str) or not BETA.fullmatch(name):
            shown = ascii(name)[:80]
            raise ConfigurationError(f"{shown} is not the name of a beta; one looks like output-300k-2026-03-24")
    return {"anthropic-beta": ",".join(dict.fromkeys(betas))} if betas else {}


def held_headers(headers: Mapping[str, str]) -> dict[str, HeaderText | str]:
    """Headers whose values no traceback shows, with names in lower case; what cannot be one is there as its fault.

    It never raises, as its frame holds the values in clear.
    """
    if not isinstance(headers, Mapping):
        return {"": f"headers is a mapping of names to values, not a {type(headers).__name__}"}
    held: dict[str, HeaderText | str] = {}
    for name, value in headers.items():
        lower = name.strip().lower() if isinstance(name, str) else ascii(name)[:80]
        if not isinstance(value, str):
            held[lower] = f"the value of the header {lower} is a {type(value).__name__}, not a string"
        elif lower in held:
            held[lower] = f"the header {lower} is given twice; a request has it once"
        else:
            held[lower] = HeaderText(value.strip())
    return held


def checked_headers(
    held: Mapping[str, HeaderText | str], secrets: Secrets, *, key_header: str, key_source: str
) -> dict[str, HeaderText]:
    """The headers of `held_headers` that can be sent; `secrets` are told of their values.

    Args:
        held: the headers.
        secrets: what may not be shown.
        key_header: the header that the client's own key is sent in; empty when it has none.
        key_source: where that key came from.

    Raises:
        ConfigurationError: one of them cannot be sent; the message has its name and nothing of its value.
    """
    checked: dict[str, HeaderText] = {}
    for name, value in held.items():
        if isinstance(value, HeaderText):
            refuse_key(name, "the name of a header")
            problem = _problem(name, value, key_header, key_source)
        else:
            problem = value
        if problem or not isinstance(value, HeaderText):
            raise ConfigurationError(problem)
        if (secret := _secret_of(value)) is not None:
            secrets.add(secret)
        checked[name] = value
    return checked


def _secret_of(value: HeaderText) -> Secret | None:
    """What nobody may be shown of a value; a function of its own, as frames of what raises hold nothing in clear."""
    credentials = CREDENTIALS.fullmatch(value)
    secret = credentials[1] if credentials else str(value)
    return Secret(secret) if len(secret) >= SHORTEST_SECRET else None


def _problem(name: str, value: HeaderText, key_header: str, key_source: str) -> str:
    """Why a header cannot be sent; empty when it can."""
    if not NAME.fullmatch(name):
        return f"{ascii(name)[:80]} is not the name of a header; write NAME: VALUE"
    if name in CLIENTS_OWN:
        return f"the header {name} is set by the client, as each request needs it; leave it out"
    if name in SAID_OTHERWISE:
        return f"the header {name} is not given like others: {SAID_OTHERWISE[name]}"
    if name == key_header:
        return f"the header {name} is the one that the key in {key_source} is sent in; give one of the two"
    if not VALUE.fullmatch(value):
        return f"the value of the header {name} is empty, or holds characters that are not printable ASCII"
    return ""
