"""A request file whose JSON goes over lines: an array of requests, the API's own body around it, or indented objects.

ijson, the one JSON reader for Python that takes input in pieces, judges where a request ends; what is kept are the
bytes themselves, so that no number and no escape comes out other than it went in. The text is handed to it in pieces
that end behind a `}` before `, {"`: if the array is then open and nothing else, a request has ended there. So no string
spans two pieces either, which its parser would copy again for each.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

import ijson
import msgspec

from streamer.requests.check import not_json
from streamer.requests.locations import Location
from streamer.requests.problems import ProblemLog, shown

PIECE = 1 << 20  # bytes read at once, and more when a request is longer
HEAD = 1 << 16  # bytes within which the array has to begin

# In JSON no string goes on after these, since its quote would end it.
_SEAM = re.compile(rb'\}[ \t\r\n]*,[ \t\r\n]*(?=\{[ \t\r\n]*")')
_SEAM_OF_OBJECTS = re.compile(rb'\}[ \t\r\n]*(?=\{[ \t\r\n]*")')
_OPENING = re.compile(rb'[ \t\r\n]*(\{[ \t\r\n]*"requests"[ \t\r\n]*:[ \t\r\n]*)?\[[ \t\r\n]*')
_IS_ARRAY = re.compile(rb'[ \t\r\n]*(?:\[|\{[ \t\r\n]*"requests"[ \t\r\n]*:)')
_IS_SPREAD = re.compile(rb'[ \t\r\n]*\{[^\r\n]*[{\[,]?[ \t]*\r?\n[ \t\r\n]*"')
_BESIDE = re.compile(rb'\][ \t\r\n]*,[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:')
_LONG_NUMBER = re.compile(rb"1{19,}")
# What the judge need not see: which digit it is, so that a long number is found fast; what is beyond ASCII, and the d
# of \ud800, so that what is no Unicode is told with its own request.
_BLURRED = bytes.maketrans(b"0123456789dD", b"1111111111aa")[:128] + b"?" * 128
_BEGIN, _END = frozenset({"start_map", "start_array"}), frozenset({"end_map", "end_array"})
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


def is_array(head: bytes) -> bool:
    """Whether a file that begins so is one JSON text rather than lines.

    >>> is_array(b'{"requests": ['), is_array(b'[{'), is_array(b'{"custom_id": ')
    (True, True, False)
    """
    return _IS_ARRAY.match(head) is not None


def is_spread(head: bytes) -> bool:
    r"""Whether a file that begins so holds objects that go over several lines, as `jq` and `json.dumps(indent=2)` do.

    >>> is_spread(b'{\n  "custom_id": "a",'), is_spread(b'{"custom_id": "a"}\n{"custom_id": "b"}')
    (True, False)
    """
    return _IS_SPREAD.match(head) is not None


def read_array(file: BinaryIO, name: str, problems: ProblemLog, *, longest: int) -> Iterator[tuple[Location, bytes]]:
    """The requests of `[...]` or `{"requests": [...]}`, byte for byte.

    Args:
        file: where to read, from the beginning.
        name: what the file is called in what is wrong.
        problems: is given where the text is broken; what comes after cannot be read then.
        longest: bytes of a request at most.

    Raises:
        OSError: the file cannot be read.
    """
    text = b""
    while (opening := _OPENING.match(text)) is None and len(text) < HEAD and (more := file.read(PIECE)):
        text += more
    if opening is None:
        problems.add_to_file(name, "requests must be an array")
        return
    lines = text[: opening.end()].count(b"\n")
    try:
        reader = _Reader(name, lines, longest, in_array=True)
        rest = yield from _follow(file, text[opening.end() :], reader, _SEAM)
        yield from reader.finish(rest, closing=b"}]" if opening[1] is not None else b"]")
    except _BrokenError as broken:
        problems.add(broken.location, broken.reason)


def read_spread(file: BinaryIO, name: str, problems: ProblemLog, *, longest: int) -> Iterator[tuple[Location, bytes]]:
    """Requests that follow each other, each over several lines; else as `read_array`.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        reader = _Reader(name, 0, longest, in_array=False)
        rest = yield from _follow(file, b"", reader, _SEAM_OF_OBJECTS)
        yield from reader.finish(rest, closing=b"")
    except _BrokenError as broken:
        problems.add(broken.location, broken.reason)


def _follow(
    file: BinaryIO, text: bytes, reader: _Reader, seams: re.Pattern[bytes]
) -> Generator[tuple[Location, bytes], None, bytes]:
    """The requests that end at a seam; then what follows the last one of those."""
    while True:
        start = 0
        for seam in seams.finditer(text):
            if reader.ends(text[start : seam.end()]):
                yield from reader.requests()
            start = seam.end()
        more = file.read(max(PIECE, len(text) - start))
        if not more:
            return text[start:]
        reader.allow(len(text) - start)
        text = text[start:] + more


class _BrokenError(Exception):
    """The text cannot be followed any further."""

    def __init__(self, location: Location, reason: str) -> None:
        super().__init__(reason)
        self.location = location
        self.reason = reason


class _Reader:
    """Follows the text from request to request."""

    def __init__(self, name: str, lines: int, longest: int, *, in_array: bool) -> None:
        self._name = name
        self._lines = lines  # that ended before what is held
        self._number = 0
        self._longest = longest
        self._held: list[bytes] = []  # from where the last request ended
        self._size = 0
        self._depth = 0
        self._outside = 1 if in_array else 0  # the depth between two requests
        self._events: list[tuple[str, Any]] = ijson.sendable_list()
        self._parser = ijson.basic_parse_coro(self._events, multiple_values=not in_array)
        if in_array:
            self._judge(b"[")

    def ends(self, piece: bytes) -> bool:
        """Whether a request ends with `piece`, the next bytes."""
        self._held.append(piece)
        self._size += len(piece)
        self.allow(0)
        return self._judge(piece) == "end_map" and self._depth == self._outside

    def allow(self, more: int) -> None:
        """See to it that what is held, and `more` bytes, may still be a request that can be sent."""
        if self._size + more > 2 * self._longest:  # as it stands in the file it may hold white space
            raise self._broken(f"the request has more bytes than the {self._longest:,} that one batch takes")

    def requests(self) -> Iterator[tuple[Location, bytes]]:
        """The requests that are held; one, unless somebody's request is no object or an empty one."""
        held = b"".join(self._held)
        self._held.clear()
        self._size = 0
        try:
            found = _split(b"[" + held.rstrip(b", \t\r\n") + b"]")
        except (msgspec.DecodeError, RecursionError) as error:
            raise self._broken(not_json(error, held.rstrip(b", \t\r\n"))) from None
        at = 0
        for element in found:
            raw = bytes(element)
            start = held.index(raw, at)  # only white space and a comma come before it
            self._lines += held.count(b"\n", at, start)
            self._number += 1
            yield Location(self._name, self._lines + 1, self._number), raw
            at = start + len(raw)
            self._lines += raw.count(b"\n")
        self._lines += held.count(b"\n", at)

    def finish(self, rest: bytes, *, closing: bytes) -> Iterator[tuple[Location, bytes]]:
        """The last requests, the file being over, but for the brackets that it ends with, the last one first."""
        rest = rest.rstrip(b" \t\r\n")
        for bracket in closing:
            if not rest.endswith(bytes([bracket])):
                raise self._broken(
                    "the file ends within the array of requests, or something else comes after it: is it all there?"
                    + _beside(rest)
                )
            rest = rest[:-1].rstrip(b" \t\r\n")
        self._held.append(rest)
        self._judge(rest)
        if self._depth != self._outside:
            raise self._broken("the file ends within this request: is it all there?")
        if b"".join(self._held).endswith(b","):
            raise self._broken("this is no JSON: a comma after the last request")
        yield from self.requests()

    def _judge(self, piece: bytes) -> str:
        """Have ijson read on; the last thing it saw."""
        if not piece:
            return ""  # to ijson this would be the end
        piece = piece.translate(_BLURRED)
        if b"1111111111111111111" in piece:  # a number of more than 4,300 digits would end the process
            piece = _LONG_NUMBER.sub(b"111111111111111111", piece)
        try:
            self._parser.send(piece)
        except (ijson.JSONError, ArithmeticError) as error:
            raise self._broken(
                f"this is no JSON, and what comes after it cannot be read: {_first_line(error)}"
                + _beside(b"".join(self._held))
            ) from None
        last = ""
        for last, _ in self._events:
            if last in _BEGIN:
                self._depth += 1
            elif last in _END:
                self._depth -= 1
        self._events.clear()
        return last

    def _broken(self, reason: str) -> _BrokenError:
        return _BrokenError(Location(self._name, self._lines + 1, self._number + 1), reason)


def _beside(text: bytes) -> str:
    """What stands in the body beside the array of requests, behind its end; empty where nothing does."""
    found = _BESIDE.search(text)
    if found is None:
        return ""
    return f"; {shown(found[1].decode(errors='replace')[1:-1])} stands behind it, and only one array may: take it out"


def _first_line(error: Exception) -> str:
    """What ijson found wrong, without the excerpt of the file that follows it."""
    text = error.args[0] if error.args else ""
    return str(text.decode(errors="replace") if isinstance(text, bytes) else text).partition("\n")[0]
