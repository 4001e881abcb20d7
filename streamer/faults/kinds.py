"""Every fault there is: its name, what it takes, and where on the way of an answer it acts."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from streamer.faults.offset import size


class Stage(Enum):
    """The way of an answer, in this order. Only one fault strikes in a stage, the first listed, but for `MANY`."""

    REPLY = auto()  # instead of what the upstream says
    POLL = auto()  # in batch objects
    RECORDS = auto()  # in the lines of the body, all together
    BITS = auto()  # in the bytes of the body
    CODING = auto()  # compression
    RANGE = auto()  # validators and parts
    HEAD = auto()  # in the headers
    FRAME = auto()  # how the end of the body is told
    END = auto()  # how it really ends
    PACE = auto()  # how fast it comes
    AFTER = auto()  # what becomes of the connection


MANY = frozenset({Stage.RECORDS, Stage.PACE})

Value = int | str
Read = Callable[[str], Value]


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise ValueError(f"{text!r} is not a number such as 3")
    return int(text)


def _at_least_one(text: str) -> int:
    if (number := size(text)) < 1:
        raise ValueError(f"{text!r}: it must be 1 or more")
    return number


def _signed(text: str) -> int:
    if text[:1] not in ("+", "-"):
        raise ValueError(f"{text!r} is not a difference such as +100 or -1")
    return (1 if text[0] == "+" else -1) * size(text[1:])


def _status(text: str) -> int:
    if not text.isdecimal() or not 200 <= int(text) <= 599:
        raise ValueError(f"{text!r} is not a status from 200 to 599")
    return int(text)


def _address(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{text!r} is not a URL, nor `self`")
    return text


def _one_of(*choices: str) -> Read:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return read


def has_zstd() -> bool:
    """Whether this Python can compress with zstd."""
    return sys.version_info >= (3, 14) or importlib.util.find_spec("backports.zstd") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a fault is.

    Attributes:
        about: what happens, for the help.
        takes: how its value is written in the help, e.g. `N`; empty where there is none.
        read: makes the value of its text, or raises ValueError.
        default: the value when none is written; None: it must be.
        place: the offset when none is written; None: it has no offset; empty: it must be written.
        place_optional: it may go without any offset, which then means something else.
        params: what may follow a semicolon; `*` allows any, as headers.
        operation: what it hits when the fault does not say.
    """

    stage: Stage
    about: str
    takes: str = ""
    read: Read = _count
    default: Value | None = None
    place: str | None = None
    place_optional: bool = False
    params: tuple[str, ...] = ()
    operation: str = "results"


POISONS = ("garbage", "digits", "deep", "utf8", "nul", "surrogate", "separators")
BODIES = ("html", "text", "empty", "object")
_CUT_PARAMS = ("step", "at")


def _codings() -> dict[str, Kind]:
    kinds = {}
    for name in ("gzip", "deflate", "zstd"):
        kinds[name] = Kind(stage=Stage.CODING, about=f"the body compressed with {name}, whole and valid")
        kinds[f"{name}_cut"] = Kind(
            stage=Stage.CODING,
            place="60%",
            about=f"compressed with {name} and cut at that place, with a Content-Length and an end that fit the rest",
        )
    return kinds


_KINDS: dict[str, Kind] = {
    "status": Kind(
        stage=Stage.REPLY,
        takes="CODE",
        read=_status,
        params=("accepted", "*"),
        about="an error of the API; `;name=value` adds a header, `;accepted` lets the upstream do it all the same",
    ),
    "body": Kind(
        stage=Stage.REPLY,
        takes="KIND",
        read=_one_of(*BODIES),
        params=("status", "accepted"),
        about="200 with what is no batch: `html`, plain `text`, `empty`, or an `object` of nothing; `;status=403` for "
        "another status, `;accepted` lets the upstream do it all the same",
    ),
    "redirect": Kind(
        stage=Stage.REPLY,
        takes="URL",
        read=_address,
        params=("status",),
        about="307 to a URL; one with no path gets the path asked for; `self` is a loop; `;status=302` for another",
    ),
    "bomb": Kind(
        stage=Stage.REPLY,
        takes="SIZE",
        read=_at_least_one,
        default=1 << 30,
        about="a small gzip body of valid records that grows to SIZE",
    ),
    "endless_body": Kind(
        stage=Stage.REPLY, takes="CODE", read=_status, default=500, about="an error whose body never ends"
    ),
    "refuse": Kind(stage=Stage.REPLY, about="the connection is closed and the upstream never asked"),
    "null_results_url": Kind(
        stage=Stage.POLL, operation="ended", about="results_url is null though the batch has ended"
    ),
    "reorder": Kind(stage=Stage.RECORDS, about="the records in another order at every download"),
    "drop": Kind(
        stage=Stage.RECORDS, takes="N", read=_at_least_one, default=1, about="the first N records are missing"
    ),
    "duplicate": Kind(
        stage=Stage.RECORDS, takes="N", read=_at_least_one, default=1, about="the first N records come again at the end"
    ),
    "extra": Kind(
        stage=Stage.RECORDS,
        takes="N",
        read=_at_least_one,
        default=1,
        about="N records that nobody asked for come first",
    ),
    "poison": Kind(
        stage=Stage.RECORDS,
        takes="KIND",
        read=_one_of(*POISONS),
        default="garbage",
        place="0",
        about=(
            "`garbage` is a line that is no JSON, put in before the record at that place; the others are added to that "
            "record: `digits` an integer of 5,000, `deep` JSON of 100,000 levels, `utf8` bytes that are none, `nul` "
            "a NUL, `surrogate` a lone one, `separators` U+2028 and U+0085"
        ),
    ),
    "crlf": Kind(stage=Stage.RECORDS, about="lines end in CR LF"),
    "blank": Kind(stage=Stage.RECORDS, about="a blank line after every line"),
    "bom": Kind(stage=Stage.RECORDS, about="a byte order mark comes first"),
    "bitflip": Kind(stage=Stage.BITS, place="", about="the lowest bit of the byte at that place is flipped"),
    **_codings(),
    "etag": Kind(stage=Stage.RANGE, about="a strong ETag, and parts as asked for: 206, 416, If-Range"),
    "weak_etag": Kind(stage=Stage.RANGE, about="as etag, with a weak ETag"),
    "change_etag": Kind(stage=Stage.RANGE, about="another strong ETag at every download"),
    "ignore_range": Kind(stage=Stage.RANGE, about="a strong ETag, but all of the body whatever part is asked for"),
    "wrong_range": Kind(
        stage=Stage.RANGE,
        takes="KIND",
        read=_one_of("start", "total", "missing"),
        default="start",
        about="206 that has a wrong `start`, a byte late, or tells a wrong `total`, or has no Content-Range: `missing`",
    ),
    "range_416": Kind(stage=Stage.RANGE, about="416 to every part asked for"),
    "big_header": Kind(
        stage=Stage.HEAD, takes="SIZE", read=_at_least_one, default=100_000, about="a header of that many bytes"
    ),
    "endless_headers": Kind(stage=Stage.HEAD, about="headers that never end"),
    "length": Kind(
        stage=Stage.FRAME,
        takes="DIFFERENCE",
        read=_signed,
        about="a Content-Length that is wrong by so much, then the end of the connection; +0 is an honest one",
    ),
    "no_final_chunk": Kind(stage=Stage.FRAME, about="chunked, and closed without the last chunk"),
    "close_delimited": Kind(
        stage=Stage.FRAME,
        place="",
        place_optional=True,
        params=_CUT_PARAMS,
        about="no length and no chunks: the end of the connection is the end of the body, wherever it is cut",
    ),
    "fin": Kind(stage=Stage.END, place="", params=_CUT_PARAMS, about="the connection is closed at that place"),
    "rst": Kind(stage=Stage.END, place="", params=_CUT_PARAMS, about="the connection is reset at that place"),
    "stall": Kind(
        stage=Stage.END, place="", params=_CUT_PARAMS, about="nothing more from that place on, until the client leaves"
    ),
    "endless_line": Kind(stage=Stage.END, place="", params=_CUT_PARAMS, about="from there on a line that never ends"),
    "drip": Kind(stage=Stage.PACE, takes="RATE", read=_at_least_one, about="the body at RATE bytes a second"),
    "slice": Kind(stage=Stage.PACE, takes="N", read=_at_least_one, about="the body in writes of N bytes"),
    "stale": Kind(stage=Stage.AFTER, about="closed after the answer, without a word that it will be"),
}
KINDS: Mapping[str, Kind] = dict(sorted(_KINDS.items()))


def usage(name: str) -> str:
    """How a fault is written, e.g. `poison[=KIND][@PLACE]`."""
    kind = KINDS[name]
    value = f"={kind.takes}" if kind.takes else ""
    place = "@PLACE" if kind.place is not None else ""
    return (
        name
        + (f"[{value}]" if value and kind.default is not None else value)
        + (f"[{place}]" if place and (kind.place or kind.place_optional) else place)
    )


def described() -> list[tuple[str, str]]:
    """Each fault as it is written, and what it does."""
    return [(usage(name), kind.about) for name, kind in KINDS.items()]


def zstd() -> Any:
    """The module that compresses with zstd: Python's own from 3.14 on, before that the extra `fast`."""
    if sys.version_info >= (3, 14):
        from compression import zstd as module
    else:
        from backports import zstd as module
    return module
