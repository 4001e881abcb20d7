r"""Framing: the bytes of a results body, cut where records end.

Pure, and it imports nothing of ours: bytes in, whole lines out. What comes out holds every byte of every record, in
order; what separates records (a BOM, newlines) may be left out.

How it stays linear. Of each piece fed only the end matters: one backward search finds the last newline, everything
before it goes on as it is, and what is left waits as a list of pieces that is joined once, when its newline comes.
Only a line that grows beyond `SCAN_FROM` is looked into, each byte once, for two reasons: objects may follow each other
with no newline at all (``}{``), and a record may be too long to hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_RECORD_BYTES = 32 * 1024 * 1024
PIECE = 128 * 1024  # bytes handled at once: so much becomes one block, during which the loop serves nobody else
SCAN_FROM = 2 * 1024 * 1024  # bytes; the longest real records known are 0.1 MB, and 300,000 output tokens are 1 to 2 MB

_BOM = b"\xef\xbb\xbf"
SPACE = b" \t\r"  # the white space of JSON, but for the newline
_SEAM = re.compile(rb"\}[ \t\r]*\{")


@dataclass(frozen=True, slots=True)
class Lines:
    r"""Bytes that hold whole lines, each ended by ``\n``.

    A line is usually one record, but may be blank, may end in ``\r``, or may hold several objects. Where objects follow
    each other in an endless line, it is cut between two of them and a newline is added.

    Attributes:
        offset: where `data` begins in the decoded body, in bytes.
        data: the lines.
        terminated: False for the last line of a body that does not end in a newline; then it has none here either.
            The real service's last record is like this, and so is a record that was cut in the middle.
    """

    offset: int
    data: bytes
    terminated: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    r"""A piece of one record that is too long to be held whole.

    Attributes:
        offset: where `data` begins in the decoded body, in bytes.
        data: the next bytes of the record, in order, without its newline or the ``\r`` before that. Other white
            space around the record stays.
        last: whether the record ends here; then `data` is empty.
        terminated: False when the record ends because the body did, with no newline.
    """

    offset: int
    data: bytes
    last: bool = False
    terminated: bool = True


class EscapeMask:
    """Makes every quote in JSON text, fed in pieces, one that begins or ends a string; in two passes in C."""

    def __init__(self) -> None:
        self._escaped = False  # the next byte belongs to a backslash before it

    def mask(self, piece: bytes) -> bytes:
        """`piece`, which is not empty, with escaped quotes and backslashes replaced; of the same length."""
        masked = b"x" + piece[1:] if self._escaped else piece
        # Pairs of backslashes first, so that in `\\"` the quote stays a real one.
        masked = masked.replace(b"\\\\", b"xx").replace(b'\\"', b"xx")
        self._escaped = masked.endswith(b"\\")
        return masked


class SeamScanner:
    """Finds where, inside a line that is fed in pieces, one object ends and the next one begins.

    In JSON ``}`` and ``{`` meet only between two objects or inside a string, so it is enough to know whether a place
    is inside a string: whether the unescaped quotes before it are odd in number. All of it is done by searches in C.
    """

    def __init__(self) -> None:
        self._escapes = EscapeMask()
        self._in_string = False
        self._closed = False  # outside any string, the last byte that is not white space was a }

    def scan(self, piece: bytes) -> list[int]:
        """Where in `piece`, the next bytes of the line, an object begins right after another one."""
        if not piece:
            return []
        masked = self._escapes.mask(piece)
        seams = []
        text = masked.lstrip(SPACE)
        if self._closed and text.startswith(b"{"):
            seams.append(len(masked) - len(text))
        counted = 0
        for match in _SEAM.finditer(masked):
            self._count_quotes(masked, counted, match.start())
            counted = match.start()
            if not self._in_string:
                seams.append(match.end() - 1)
        self._count_quotes(masked, counted, len(masked))
        if text:
            self._closed = not self._in_string and text.rstrip(SPACE).endswith(b"}")
        return seams

    def _count_quotes(self, masked: bytes, start: int, end: int) -> None:
        if masked.count(b'"', start, end) % 2:
            self._in_string = not self._in_string


def seams(line: bytes) -> list[int]:
    """Where in `line`, which is one line, an object begins right after another one; usually nowhere."""
    return SeamScanner().scan(line) if _SEAM.search(line) else []


class Framer:
    r"""Cuts a body, fed in pieces of any size, into whole lines.

    Args:
        max_record_bytes: a record longer than this is passed on as `Part`s while it comes in, never held whole.
            The count does not include the newline.
        start: where in the body the first byte that will be fed is, when it does not begin at its beginning.

    Raises:
        ValueError: `max_record_bytes` is less than 1.

    >>> framer = Framer()
    >>> framer.feed(b'{"custom_id":"a"}\n{"custom')
    [Lines(offset=0, data=b'{"custom_id":"a"}\n', terminated=True)]
    >>> framer.feed(b'_id":"b"}')
    []
    >>> framer.close()
    [Lines(offset=18, data=b'{"custom_id":"b"}', terminated=False)]
    """

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES, *, start: int = 0) -> None:
        if max_record_bytes < 1:
            raise ValueError(f"max_record_bytes must be 1 or more, not {max_record_bytes}")
        self._max = max_record_bytes
        self._scan_from = min(SCAN_FROM, max_record_bytes)
        self._piece = min(PIECE, max_record_bytes)  # no record inside one piece can be too long
        self._start = None if start else b""  # the first bytes, while they may still become a BOM
        self._end = start  # where in the body the next byte fed will be
        self._held: list[bytes] = []  # of the record under way
        self._length = 0  # of the record under way, whether held or passed on
        self._scanner: SeamScanner | None = None  # from the moment the line is long enough to be looked into

    @property
    def held(self) -> int:
        """Bytes that are held of the record under way; of one that is passed on in parts none."""
        return 0 if self._length > self._max else self._length

    def feed(self, data: bytes) -> list[Lines | Part]:
        """What `data`, the next bytes of the body, completes; every byte of it is looked at a fixed number of times."""
        if self._start is not None:
            data = self._start + data
            self._start = None
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._start = data
                return []
            if data.startswith(_BOM):
                data = data[len(_BOM) :]
                self._end = len(_BOM)
        out: list[Lines | Part] = []
        for start in range(0, len(data), self._piece):
            self._take(data, start, min(start + self._piece, len(data)), out)
        return out

    def close(self) -> list[Lines | Part]:
        """What is left when the body has ended: a last line with no newline, whole or cut in the middle."""
        out: list[Lines | Part] = []
        if self._start:
            self._take(self._start, 0, len(self._start), out)
            self._start = None
        self._end_record(out, terminated=False)
        return out

    def _take(self, data: bytes, start: int, end: int, out: list[Lines | Part]) -> None:
        """Handle the next bytes, `data` from `start` to `end`: at most `self._piece` of them."""
        newline = data.find(b"\n", start, end)
        grown = self._length + (newline if newline >= 0 else end) - start
        if self._scanner is not None or grown > self._scan_from:
            if newline < 0:
                self._scan(data[start:end], out)
                return
            self._scan(data[start:newline], out)
            self._end_record(out)
            self._scanner = None
            self._end += 1
            start = newline + 1
        # The usual way: the line under way is short.
        whole = data.rfind(b"\n", start, end) + 1
        if whole:
            # Joined as a view it is copied once, not twice; alone and complete, not at all.
            lines = b"".join([*self._held, memoryview(data)[start:whole]]) if self._held else data[start:whole]
            out.append(Lines(self._end - self._length, lines))
            self._end += whole - start
            self._held, self._length = [], 0
            start = whole
        self._hold(data[start:end])

    def _scan(self, piece: bytes, out: list[Lines | Part]) -> None:
        """Let the line under way, which has become long, grow by `piece`, which holds no newline."""
        fresh = [piece]
        if self._scanner is None:
            self._scanner = SeamScanner()
            fresh = [*self._held, piece]
            self._end -= self._length
            self._held, self._length = [], 0
        for data in fresh:
            start = 0
            seams = self._scanner.scan(data)
            # Only the record under way can be too long; those that lie between the first and the last seam are
            # shorter than a piece, and go on together.
            for seam in sorted({*seams[:1], *seams[-1:]}):
                self._hold(data[start:seam])
                self._pass_on(out)
                self._end_record(out)
                start = seam
            self._hold(data[start:])
            self._pass_on(out)

    def _hold(self, data: bytes) -> None:
        if data:
            self._held.append(data)
            self._length += len(data)
            self._end += len(data)

    def _pass_on(self, out: list[Lines | Part]) -> None:
        """When the record under way is too long, pass on what is held of it, but for a last CR: it may end the line."""
        if self._length <= self._max or not self._held:
            return
        held, self._held = self._held, []
        offset = self._end - sum(map(len, held))
        for data in held[:-1]:
            out.append(Part(offset, data))
            offset += len(data)
        data = held[-1].removesuffix(b"\r")
        if data:
            out.append(Part(offset, data))
        if len(data) < len(held[-1]):
            self._held = [b"\r"]

    def _end_record(self, out: list[Lines | Part], *, terminated: bool = True) -> None:
        """The record under way ends here: at a newline, at a seam, or with the body."""
        if self._length > self._max:
            out.append(Part(self._end, b"", last=True, terminated=terminated))
        elif self._held:
            if terminated:
                self._held.append(b"\n")  # before it is joined: a long record is copied once, not twice
            out.append(Lines(self._end - self._length, b"".join(self._held), terminated=terminated))
        self._held, self._length = [], 0
