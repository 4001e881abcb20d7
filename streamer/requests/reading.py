"""Request files of every form, told apart by what they hold, as drafts of requests."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from streamer.progress import Progress, Work
from streamer.requests.csvfile import read_csv
from streamer.requests.jsonarray import HEAD, is_array, read_array
from streamer.requests.jsonlines import read_lines
from streamer.requests.problems import Location, ProblemLog
from streamer.requests.template import ParamsTemplate

_BUFFER = 1 << 20

RequestFile = str | Path | BinaryIO


class Draft(msgspec.Struct, gc=False):
    """A request as it was given, not checked."""

    place: Location
    text: bytes  # the whole request, or its params alone
    bare: bool  # it is the params alone
    custom_id: str | None = None  # of bare params; None when it has to be made
    fields: bytes | None = None  # of CSV: the record as a JSON object


def read_drafts(
    files: Sequence[RequestFile],
    problems: ProblemLog,
    *,
    template: ParamsTemplate | None,
    longest: int,
    progress: Progress | None = None,
) -> Iterator[Draft]:
    """All requests of all files, in order; what is wrong with a file is told, and the next one is read.

    Args:
        files: paths, or binary files that are read to their end and not closed.
        problems: told of what is wrong.
        template: what params are made by; then the files are CSV.
        longest: bytes of a request at most.
        progress: is told how many bytes were read.
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
            problems.file(name, f"this cannot be read: {error.strerror or error}")
        if draft is None and problems.count == before:
            problems.file(name, "there is no request in it")


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
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        problems.file(name, "this is UTF-16; save it as UTF-8")
        return
    head = head.removeprefix(b"\xef\xbb\xbf")
    whole = io.BufferedReader(_Rejoined(head, file, progress), _BUFFER)
    if template is not None:
        for record in read_csv(whole, name, problems, template):
            yield Draft(record.place, record.params, True, record.custom_id, record.fields)
    elif name.lower().endswith(".csv"):
        problems.file(name, "a CSV file needs a template of the params that its records stand for (--template)")
    else:
        read = read_array if is_array(head) else read_lines
        bare: bool | None = None
        for place, text in read(whole, name, problems, longest=longest):
            if bare is None:
                bare = _is_bare(text)
            yield Draft(place, text, bare)


_WHOLE = re.compile(rb'"(?:custom_id|params)"')
_BARE = re.compile(rb'"(?:messages|model)"')


def _is_bare(text: bytes) -> bool:
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
