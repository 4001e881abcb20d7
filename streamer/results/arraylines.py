r"""A JSON array of records as lines, of the same length, so that it is framed as all results are.

The brackets of the array and the commas between its records become newlines, and the newlines inside a record, which
mean nothing there, spaces. So nothing is held, however long the array or a record of it is, and where a record is in
the lines, there it is in the file. What is no array of records becomes lines that are no records, each in its place.
"""

from __future__ import annotations

import re

from streamer.results.framing import EscapeMask

_SPACE = b" \t\r\n"
_IS_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\[")
_AFTER_OBJECT = re.compile(rb"\}[ \t\r\n]*,")
_MARKS = re.compile(rb'[]["{}]')
_NEWLINE = ord("\n")


def is_array(head: bytes) -> bool:
    """Whether a file that begins so is one JSON array rather than lines of records.

    >>> is_array(b' [{"custom_id":'), is_array(b'{"custom_id":')
    (True, False)
    """
    return _IS_ARRAY.match(head) is not None


class ArrayLines:
    r"""Makes lines of a JSON array that is fed in pieces; the first one holds the bracket that opens it.

    >>> lines = ArrayLines()
    >>> lines.feed(b'[\n{"custom_id":"a"},\n{"custom_id":') + lines.feed(b'"b"}\n]\n')
    b'\n {"custom_id":"a"}\n {"custom_id":"b"} \n\n'
    >>> lines.closed
    True
    """

    def __init__(self) -> None:
        self.closed = False  # the array has come to its end
        self._escapes = EscapeMask()
        self._opened = False
        self._in_string = False
        self._depth = 0  # brackets that are open inside the array; none between two records
        self._after_object = False  # the last byte that is no white space was the end of a record

    def feed(self, piece: bytes) -> bytes:
        """The next bytes as lines; what comes after the array stays as it is."""
        if not piece or self.closed:
            return piece
        masked = self._escapes.mask(piece)
        lines = bytearray(piece.replace(b"\n", b" "))
        begin = 0
        if not self._opened:
            begin = masked.index(b"[") + 1
            lines[begin - 1] = _NEWLINE
            self._opened = True
        for end in [*self._commas(masked, begin), len(masked)]:
            depth, in_string = self._depth, self._in_string
            self._pass(masked[begin:end])
            if self._depth < 0:
                at = begin + _closing(masked[begin:end], depth, in_string=in_string)
                self.closed = True
                return bytes(lines[:at]) + b"\n" + piece[at + 1 :]
            if end < len(masked) and not self._depth and not self._in_string:
                lines[end] = _NEWLINE
            begin = end
        if rest := masked.rstrip(_SPACE):
            self._after_object = rest.endswith(b"}") and not self._depth and not self._in_string
        return bytes(lines)

    def _commas(self, masked: bytes, begin: int) -> list[int]:
        """Where the commas are that may separate two records: each comes after the end of an object."""
        commas = [match.end() - 1 for match in _AFTER_OBJECT.finditer(masked, begin)]
        first = len(masked) - len(masked.lstrip(_SPACE))
        return [first, *commas] if self._after_object and masked[first : first + 1] == b"," else commas

    def _pass(self, text: bytes) -> None:
        """Count the brackets of `text`, the next bytes, that are outside strings."""
        parts = text.split(b'"')
        outside = b"".join(parts[1::2] if self._in_string else parts[::2])
        self._depth += outside.count(b"{") + outside.count(b"[") - outside.count(b"}") - outside.count(b"]")
        if len(parts) % 2 == 0:
            self._in_string = not self._in_string


def _closing(text: bytes, depth: int, *, in_string: bool) -> int:
    """Where in `text` the bracket is that closes the array."""
    for match in _MARKS.finditer(text):
        mark = match[0]
        if mark == b'"':
            in_string = not in_string
        elif not in_string:
            depth += 1 if mark in b"[{" else -1
            if depth < 0:
                return match.start()
    raise AssertionError("the brackets were counted, and one too many closes")
