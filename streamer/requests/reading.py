"""Request files of every form, distinguished by what they hold, as drafts of requests."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from streamer.progress import Progress, Work
from streamer.requests.csvfile import read_csv
from streamer.requests.datarows import read_json_rows
from streamer.requests.jsonarray import HEAD, is_array, is_spread, read_array, read_spread
from streamer.requests.jsonlines import read_lines
from streamer.requests.locations import Location
from streamer.requests.otherformats import other_file
from streamer.requests.problems import ProblemLog
from streamer.requests.template import ParamsTemplate

_BUFFER = 1 << 20

RequestFile = str | Path | BinaryIO


class Draft(msgspec.Struct, gc=False):
    """A request as it was given, not checked."""

    location: Location
    text: bytes | bytearray  # the whole request, or its params alone
    bare: bool  # it is the params alone
    custom_id: str | None = None  # of bare params; None when it has to be made
    fields: bytes | None = None  # of a row of data: the row as a JSON object


def read_drafts(
    files: Sequence[RequestFile],
    problems: ProblemLog,
    *,
    template: ParamsTemplate | None,
    longest: int,
    progress: Progress | None = None,
) -> Iterator[Draft]:
    """All requests of all files, in order; what is wrong with a file is collected, and the next one is read.

    Args:
        files: paths, or binary files that are read to their end and not closed.
        problems: is given what is wrong.
        template: what params are made by; then the files are rows of data: CSV, or objects of JSON.
        longest: bytes of a request at most.
        progress: counts the bytes that are read.
    """
    progress = progress or Progress(Work.CHECKING)
    for file in files:
        name = name_of(file)
        draft = None
        before = problems.count
        try:
            with _opened(file) as opened:
                for draft in _of_file(opened, name, problems, template, longest, progress):
                    yield draft
        except OSError as error:
            problems.add_to_file(name, f"this cannot be read: {error.strerror or error}")
        if draft is None and problems.count == before:
            problems.add_to_file(name, "there is no request in it")


def name_of(file: RequestFile) -> str:
    """What a request file is called in messages.

    >>> name_of(Path("requests.jsonl"))
    'requests.jsonl'
    """
    if isinstance(file, str | Path):
        return str(file)
    name = getattr(file, "name", None)
    return name if isinstance(name, str) and name != "<stdin>" else "stdin"


@contextmanager
def _opened(file: RequestFile) -> Iterator[BinaryIO]:
    if isinstance(file, str | Path):
        with Path(file).open("rb") as opened:
            yield opened
    else:
        yield file


def _of_file(
    file: BinaryIO, name: str, problems: ProblemLog, template: ParamsTemplate | None, longest: int, progress: Progress
) -> Iterator[Draft]:
    head = file.read(HEAD)
    if reason := other_file(head, name):
        problems.add_to_file(name, reason)
        return
    while head.startswith(_MARK):
        head = head.removeprefix(_MARK)
    whole = io.BufferedReader(_Rejoined(head, file, progress), _BUFFER)
    if template is None and name.lower().endswith((".csv", ".tsv")):
        problems.add_to_file(name, "a CSV file needs a template of the params that its records stand for (--template)")
    elif template is None:
        bare: bool | None = None
        for location, text in _objects(head)(whole, name, problems, longest=longest):
            if bare is None:
                bare = _is_bare(text)
            yield Draft(location, text, bare)
            del text  # which may be long, before the next one is read
    else:
        if _IS_JSON.match(head):
            rows = read_json_rows(_objects(head)(whole, name, problems, longest=longest), problems, template)
        else:
            rows = read_csv(whole, name, problems, template)
        for row in rows:
            yield Draft(row.location, row.params, True, row.custom_id, row.fields)


class _ReadObjects(Protocol):
    """Reads the JSON objects of a file."""

    def __call__(
        self, file: BinaryIO, name: str, problems: ProblemLog, *, longest: int
    ) -> Iterator[tuple[Location, bytes | bytearray]]: ...


def _objects(head: bytes) -> _ReadObjects:
    """How the objects of a file that begins so are read."""
    if is_array(head):
        return read_array
    return read_spread if is_spread(head) else read_lines


_MARK = b"\xef\xbb\xbf"  # of byte order
_IS_JSON = re.compile(rb'\s*(?:\{\s*["}]|\[\s*[\]{])')
_WHOLE = re.compile(rb'"(?:custom_id|params)"')
_BARE = re.compile(rb'"(?:messages|model)"')


def _is_bare(text: bytes | bytearray) -> bool:
    """Whether the first request of a file is bare params; then all of them have to be."""
    try:
        keys = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).keys()
    except (ValueError, RecursionError):  # somebody will say what is wrong with it; this is what it seems to be
        return _BARE.search(text) is not None and _WHOLE.search(text) is None
    return not keys & {"custom_id", "params"} and bool(keys & {"messages", "model"})


class _Rejoined(io.RawIOBase):
    """A file, with what was read of it put back before it; what is taken of it is counted."""

    def __init__(self, head: bytes, file: BinaryIO, progress: Progress) -> None:
        self._head = head
        self._file = file
        self._progress = progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io gives a memoryview
        part = self._head[: len(buffer)] if self._head else self._file.read(len(buffer))
        self._head = self._head[len(part) :]
        buffer[: len(part)] = part
        self._progress.done += len(part)
        return len(part)
