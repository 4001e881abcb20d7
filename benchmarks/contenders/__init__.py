"""Everyone who takes part: who, what is done with each record, and where the code is."""

from __future__ import annotations

import importlib.util
import shutil

import msgspec

from benchmarks.job import Kind


class Entrant(msgspec.Struct, frozen=True, kw_only=True):
    """A contender of the tables.

    Attributes:
        name: as in the tables.
        kind: what it does with each record.
        target: `module:callable`.
        ours: it is a way through this library.
        slow: so slow that it is given a twentieth of the records; rates stay comparable.
        needs: commands and modules without which it cannot run.
    """

    name: str
    kind: Kind
    target: str
    ours: bool = False
    slow: bool = False
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """What it needs and is not installed."""
        return [name for name in self.needs if not (shutil.which(name) or importlib.util.find_spec(name))]


_HERE = "benchmarks.contenders"

COPY, COPY_WITH_USAGE, HEADS, EACH, TYPED = (
    Entrant(name="streamer: FileSink", kind=Kind.COPY, target=f"{_HERE}.streamer:copy", ours=True),
    Entrant(name="streamer: FileSink, usage", kind=Kind.COPY, target=f"{_HERE}.streamer:copy_with_usage", ours=True),
    Entrant(name="streamer: blocks", kind=Kind.HEADS, target=f"{_HERE}.streamer:blocks", ours=True),
    Entrant(name="streamer: each record", kind=Kind.HEADS, target=f"{_HERE}.streamer:each_record", ours=True),
    Entrant(name="streamer: results", kind=Kind.TYPED, target=f"{_HERE}.streamer:typed", ours=True),
)
CURL_NULL, CURL_FILE, CURL_SYNC = (
    Entrant(name="curl > /dev/null", kind=Kind.DROP, target=f"{_HERE}.curl:to_null", needs=("curl",)),
    Entrant(name="curl -o", kind=Kind.COPY, target=f"{_HERE}.curl:to_file", needs=("curl",)),
    Entrant(name="curl -o, then fsync", kind=Kind.COPY, target=f"{_HERE}.curl:to_durable_file", needs=("curl",)),
)
AIOHTTP_DROP = Entrant(name="aiohttp, dropping", kind=Kind.DROP, target=f"{_HERE}.aiohttp_lines:drop")
AIOHTTP_LINES = Entrant(name="aiohttp lines, json", kind=Kind.TYPED, target=f"{_HERE}.aiohttp_lines:decode", slow=True)
HTTPX_LINES = Entrant(
    name="httpx iter_lines, json", kind=Kind.TYPED, target=f"{_HERE}.httpx_lines:decode", slow=True, needs=("httpx",)
)
OFFICIAL, OFFICIAL_ASYNC = (
    Entrant(name="official client", kind=Kind.TYPED, target=f"{_HERE}.official:plain", slow=True, needs=("anthropic",)),
    Entrant(
        name="official async client",
        kind=Kind.TYPED,
        target=f"{_HERE}.official:asynchronous",
        slow=True,
        needs=("anthropic",),
    ),
)
PYDANTIC = Entrant(
    name="pydantic, from memory", kind=Kind.TYPED, target=f"{_HERE}.memory:pydantic", slow=True, needs=("anthropic",)
)
MSGSPEC = Entrant(name="msgspec, from memory", kind=Kind.TYPED, target=f"{_HERE}.memory:msgspec")

EVERYONE = (
    CURL_NULL,
    AIOHTTP_DROP,
    CURL_FILE,
    CURL_SYNC,
    COPY,
    COPY_WITH_USAGE,
    HEADS,
    EACH,
    TYPED,
    MSGSPEC,
    PYDANTIC,
    AIOHTTP_LINES,
    HTTPX_LINES,
    OFFICIAL,
    OFFICIAL_ASYNC,
)
