"""A record too long to be held: what must be known of it, read with ijson while its parts pass by.

ijson is the one JSON reader for Python that takes input in pieces. It is not fed the record as it is, because its
parser, yajl, copies a string that spans pieces again and again (20 MB in one string: 0.8 MB/s), refuses an integer
above 2**63, and kills the process at one of more than 4,300 digits. So a `_Squeezer` comes first; it leaves out what is
long and not needed.
"""

from __future__ import annotations

import json
import re
from typing import Any

import ijson
import msgspec

from streamer.results.framing import EscapeMask
from streamer.results.record import Head, head_of

LONGEST_STRING = 4096  # bytes; a custom_id has 64 characters at most
DEEPEST = 1000  # levels; msgspec and json stop at about as many

_PIECE = 64 * 1024  # bytes squeezed at once: of short strings each becomes an object of its own for a moment
_SCALAR = b"-+.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LONGEST_SCALAR = 64  # bytes, once digits are squeezed
_ODD_NUMBER = re.compile(rb"([0-9]{18})[0-9]+|([eE])[+-]?[0-9]{3,}|NaN|Infinity")
# The same by one character that a search finds fast: ten times as fast as _ODD_NUMBER, which takes them all at once.
_BIG_NUMBER = re.compile(rb"[0-9](?:[0-9]{18}|[eE][+-]?[0-9]{3})")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class LongRecordReader:
    """Reads the head of one record, fed in parts; memory and the work for each byte are bounded.

    It does not look at the inside of strings beyond 4 KiB, nor at the exact value of numbers beyond 18 digits.

    >>> reader = LongRecordReader()
    >>> reader.feed(b'{"custom_id":"a","result":{"type":')
    >>> reader.custom_id
    'a'
    >>> reader.feed(b'"expired"}}')
    >>> reader.close()
    (Head(custom_id='a', result=HeadResult(type='expired', message=None, error=None)), '')
    """

    def __init__(self) -> None:
        self._squeezer = _Squeezer()
        self._collector = _Collector()
        self._events: list[tuple[str, Any]] = ijson.sendable_list()
        self._parser = ijson.basic_parse_coro(self._events, use_float=True)
        self._reason = ""  # why it is no record, once that is known

    @property
    def custom_id(self) -> str | None:
        """The record's custom_id, as soon as it has passed."""
        found = self._collector.found
        custom_id = found.get("custom_id") if isinstance(found, dict) else None
        return custom_id if custom_id and isinstance(custom_id, str) else None

    def feed(self, part: bytes) -> None:
        """Read the next bytes of the record."""
        for start in range(0, len(part), _PIECE):
            if not self._reason:
                self._parse(self._squeezer.squeeze(part[start : start + _PIECE]))

    def close(self) -> tuple[Head | None, str]:
        """The head of the record, which has ended; or None, and the reason why it is no record, for people."""
        if not self._reason:
            self._parse(self._squeezer.rest())
        if not self._reason:
            try:
                self._parser.close()
                self._collector.take(self._events)
            except ijson.JSONError as exc:
                self._reason = _first_line(exc)
        if not self._reason:
            try:
                head = head_of(self._collector.found)
                if head.custom_id and head.result.type:
                    return head, ""
                self._reason = f"an empty custom_id or type, or one of more than {LONGEST_STRING:,} bytes"
            except ValueError as exc:
                self._reason = str(exc)
        return None, self._reason

    def _parse(self, squeezed: bytes) -> None:
        if not squeezed:
            return  # to ijson this would be the end
        try:
            self._parser.send(squeezed)
            self._collector.take(self._events)
            self._events.clear()
        except ijson.JSONError as exc:
            self._reason = _first_line(exc)
        except RecursionError:
            self._reason = "nested too deeply"


def _first_line(exc: Exception) -> str:
    """What yajl found wrong, without the excerpt of the record that follows it."""
    text = exc.args[0]
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return str(text).partition("\n")[0]


class _Squeezer:
    """Leaves out of JSON text what is long and not needed; it stays JSON if it was.

    A string of more than `LONGEST_STRING` bytes becomes the empty one, as does one that is not text; a number keeps 18
    digits at a time, and no exponent of three digits.
    """

    def __init__(self) -> None:
        self._escapes = EscapeMask()
        self._string: bytes | None = None  # what is kept of the string under way; None outside strings
        self._too_long = False  # the string under way
        self._scalar = b""  # a number or a word that may go on

    def squeeze(self, piece: bytes) -> bytes:
        """What to parse instead of `piece`, the next bytes."""
        texts = self._escapes.mask(piece).split(b'"')
        out: list[bytes] = []
        # From the first quote that begins a string to the last that ends one, there may be nothing to leave out.
        before = 1 if self._string is None else 2
        after = 1 if (len(texts) - before) % 2 == 0 else 2
        start = sum(map(len, texts[:before])) + before - 1
        stop = len(piece) - sum(map(len, texts[-after:])) - after + 1
        if stop - start > LONGEST_STRING and _is_plain(piece[start:stop], texts):
            self._texts(piece[:start], texts[:before], out)
            out += [self._scalar, piece[start:stop]]
            self._scalar = b""
            self._texts(piece[stop:], texts[-after:], out)
        else:
            self._texts(piece, texts, out)
        return b"".join(out)

    def _texts(self, piece: bytes, texts: list[bytes], out: list[bytes]) -> None:
        """Take `piece` text by text; `texts` is the same with its escapes masked, split at the quotes."""
        end = -1
        for text in texts:
            start = end + 1
            end = start + len(text)
            if start:  # there was a quote
                self._quote(out)
            if self._string is None:
                self._outside(piece[start:end], out)
            elif len(self._string) + len(text) > LONGEST_STRING:
                self._string, self._too_long = b"", True
            elif not self._too_long:
                self._string += piece[start:end]

    def rest(self) -> bytes:
        """What is left to parse when the text has ended."""
        return self._scalar if self._string is None else b'"'

    def _quote(self, out: list[bytes]) -> None:
        if self._string is None:
            out.append(self._scalar)
            self._scalar = b""
            self._string, self._too_long = b"", False
        else:
            out += [b'"', self._string if _is_text(self._string) else b"", b'"']
            self._string = None

    def _outside(self, text: bytes, out: list[bytes]) -> None:
        text = _ODD_NUMBER.sub(_squeeze_number, self._scalar + text)
        whole = text.rstrip(_SCALAR)
        if len(text) - len(whole) > _LONGEST_SCALAR:  # no number or word of JSON: let the parser say so
            whole = text
        self._scalar = text[len(whole) :]
        out.append(whole)


def _squeeze_number(match: re.Match[bytes]) -> bytes:
    digits, exponent = match.groups()
    return digits or (exponent + b"0" if exponent else b"0")


def _is_plain(piece: bytes, texts: list[bytes]) -> bool:
    """Whether surely nothing in `piece`, which consists of `texts`, has to be left out."""
    if max(map(len, texts)) > LONGEST_STRING or b"NaN" in piece or b"Infinity" in piece:
        return False
    if _BIG_NUMBER.search(piece) or _SURROGATE.search(piece):
        return False
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_text(string: bytes) -> bool:
    """Whether the inside of a JSON string is Unicode text: yajl turns a lone surrogate into a question mark."""
    if string.isascii() and b"\\u" not in string:
        return True
    try:
        json.loads(b'"' + string + b'"').encode()
    except ValueError:
        return False
    return True


def _wanted(kind: msgspec.inspect.Type) -> dict[str, Any]:
    """The keys that `kind` has, and those below them."""
    if isinstance(kind, msgspec.inspect.UnionType):
        return {key: below for member in kind.types for key, below in _wanted(member).items()}
    if isinstance(kind, msgspec.inspect.StructType):
        return {field.encode_name: _wanted(field.type) for field in kind.fields}
    return {}


_RECORD = {"": _wanted(msgspec.inspect.type_info(Head))}


_BEGIN, _END = frozenset({"start_map", "start_array"}), frozenset({"end_map", "end_array"})


class _Collector:
    """Takes ijson's events and builds of the record what its head needs, and nothing else."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self._maps = [(_RECORD, self._root)]  # those that are under way: the keys wanted of each, and what came
        self._key = ""
        self._skipping = 0  # levels below a value that is not needed

    @property
    def found(self) -> Any:
        """The record as far as it has come and is needed."""
        return self._root.get("")

    def take(self, events: list[tuple[str, Any]]) -> None:
        """Take the next events of ijson's `basic_parse`.

        Raises:
            RecursionError: the record is nested too deeply.
        """
        for name, value in events:
            if self._skipping:
                if name in _BEGIN:
                    self._skipping += 1
                    if self._skipping > DEEPEST:
                        raise RecursionError
                elif name in _END:
                    self._skipping -= 1
            elif name == "map_key":
                self._key = value
            elif name == "end_map":
                self._maps.pop()
            else:
                self._value(name, value)

    def _value(self, name: str, value: Any) -> None:
        wanted, found = self._maps[-1]
        below = wanted.get(self._key)
        if name == "start_map":
            value = {}
            if below:
                self._maps.append((below, value))
        elif name == "start_array":
            value = []
        if below is not None:
            found[self._key] = value
        if name == "start_array" or (name == "start_map" and not below):
            self._skipping = 1
