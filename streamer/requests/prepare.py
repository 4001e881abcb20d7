"""Request files in, a checked spool out: nothing is sent before all of it is known to be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event

from streamer.disk.directories import make_directories
from streamer.disk.failures import cannot_write
from streamer.disk.wholefile import WholeFile
from streamer.errors import ConfigurationError, StreamerError
from streamer.progress import Progress, Work
from streamer.requests.advice import Adviser
from streamer.requests.check import Checked, Refused, check_given, check_params, check_request
from streamer.requests.duplicates import MOST_NAMED, IdHashes, repeats
from streamer.requests.estimate import Estimator
from streamer.requests.jsontext import Text
from streamer.requests.locations import Location, Locations
from streamer.requests.options import PrepareOptions
from streamer.requests.otherformats import other_object
from streamer.requests.problems import ProblemLog
from streamer.requests.reading import Draft, RequestFile, name_of, read_drafts
from streamer.requests.slices import ENVELOPE_BYTES, split
from streamer.requests.spool import NewSpool, Spool, custom_id_of
from streamer.requests.template import ParamsTemplate, TemplateError

ID_PREFIX = "request-"
EMPTY = "with an empty text, which the API refuses"
FIELDS = "fields.jsonl"
_AROUND = ENVELOPE_BYTES + len(b'{"custom_id":"","params":}')
_PREFIX = re.compile(r"[a-zA-Z0-9_-]{1,44}")  # and up to 20 digits make a custom_id


def prepare(
    files: Sequence[RequestFile],
    spool: Path,
    options: PrepareOptions | None = None,
    *,
    accept: Callable[[NewSpool], None] = lambda spool: None,
    stop: Event | None = None,
    progress: Progress | None = None,
) -> Spool:
    """Read and check request files, and write them as one spool.

    The form of each file follows from what it holds: lines of `{"custom_id", "params"}`; the API's own body
    `{"requests": [...]}`; an array of requests; lines of bare params; any of these indented. With a template, files are
    rows of data: CSV, an array of JSON objects, or lines of them; and beside the spool `fields.jsonl` has each row as a
    JSON object, line by line. It blocks; memory does not grow with the files, only with the longest request.

    Args:
        files: paths, or binary files such as stdin.
        spool: where the spool goes; its directory is made if need be. Its name stands for a whole spool or not at all.
        options: how they are read and split.
        accept: is given the spool, whole and durable, before it takes the place of what is there; what this raises
            leaves that as it is.
        stop: set by another thread to have this one give up soon.
        progress: counts how far this has come; its total is known when all files have a size.

    Raises:
        InvalidRequestsError: something is wrong with the files; nothing is left on the disk.
        ConfigurationError: the prefix cannot be used, or what `accept` raises.
        StorageError: the disk does not take the spool.
        StreamerError: it was stopped.
    """
    options = options or PrepareOptions()
    prefix = ID_PREFIX if options.id_prefix is None else options.id_prefix
    if not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(
            f"the id prefix {prefix!r} cannot begin a custom_id: use 1 to 44 letters, digits, hyphens and underscores"
        )
    if not files:
        raise ConfigurationError("there is no request file")
    for file in files:
        if isinstance(file, str | Path) and spool.exists() and Path(file).exists() and spool.samefile(file):
            raise ConfigurationError(
                f"{file} is the project's own copy of the requests; name your own file or another project"
            )
    try:
        with ExitStack() as stack:
            for directory in make_directories(spool.parent):
                stack.callback(_remove_if_empty, directory)
            preparation = _Preparation(
                spool,
                stack,
                options,
                prefix=prefix,
                stop=stop or Event(),
                progress=progress or Progress(Work.CHECKING),
            )
            return preparation.run(files, accept)
    except OSError as error:
        raise cannot_write(spool, error, "nothing was sent") from error


class _Preparation:
    """One call of `prepare`, under way."""

    def __init__(
        self,
        spool: Path,
        stack: ExitStack,
        options: PrepareOptions,
        *,
        prefix: str,
        stop: Event,
        progress: Progress,
    ) -> None:
        self._stack = stack
        self._options = options
        self._problems = ProblemLog(options.on_problem)
        self._prefix = prefix
        self._max_bytes = options.max_bytes
        self._stop = stop
        self._progress = progress
        self._spool = stack.enter_context(NewSpool(spool))
        self._fields: WholeFile | None = None
        self._hashes = stack.enter_context(IdHashes(spool.parent))
        self._locations = stack.enter_context(Locations(spool.parent))
        self._estimator = Estimator()
        self._adviser = Adviser()
        self._other_objects: set[tuple[str, str]] = set()  # what was said of a file already

    def run(self, files: Sequence[RequestFile], accept: Callable[[NewSpool], None]) -> Spool:
        path = self._spool.path
        parsed = None
        if self._options.template is not None:
            parsed = self._template(self._options.template)
            self._fields = self._stack.enter_context(WholeFile(path.with_name(FIELDS)))
        self._progress.total = _bytes_in_all(files)
        drafts = read_drafts(files, self._problems, template=parsed, longest=self._max_bytes, progress=self._progress)
        slices = list(split(self._lengths(drafts), max_requests=self._options.max_requests, max_bytes=self._max_bytes))
        self._find_repeats(files)
        if self._problems.count:
            raise self._problems.error()
        self._spool.sync()
        accept(self._spool)
        self._publish()
        estimate = self._estimator.estimate()
        return Spool(
            path,
            slices,
            estimate.requests,
            self._spool.digest,
            estimate,
            self._adviser.advice(),
            self._problems.notices.sentences(),
        )

    def _template(self, path: str | Path) -> ParamsTemplate:
        try:
            return ParamsTemplate(Path(path).read_bytes())
        except TemplateError as error:
            self._problems.add_to_file(str(path), str(error))
        except OSError as error:
            self._problems.add_to_file(str(path), f"this cannot be read: {error.strerror or error}")
        raise self._problems.error()

    def _lengths(self, drafts: Iterator[Draft]) -> Iterator[int]:
        """Check each request and write its line; how long each line is."""
        for number, draft in enumerate(drafts, start=1):
            self._progress.requests = number
            if self._stop.is_set():
                raise StreamerError("the requests were not read to their end, as this was stopped; nothing was sent")
            try:
                checked = self._check(draft, number)
            except Refused as refused:
                self._refuse(draft, refused)
                if refused.custom_id is None:
                    continue
                # The spool will not be kept, but that the id is used must be known when it comes again.
                parts: tuple[Text, ...] = (b'{"custom_id":"%s"}\n' % refused.custom_id.encode(),)
                self._note(refused.custom_id, draft.location)
            else:
                parts = (b'{"custom_id":"%s","params":' % checked.custom_id.encode(), checked.raw, b"}\n")
                self._note(checked.custom_id, draft.location)
                self._look_at(checked, sum(map(len, parts)) - 1, draft.location)
                del checked
            size = sum(map(len, parts))
            for part in parts:
                self._spool.write(part)
            if self._fields is not None and draft.fields is not None:
                self._fields.write(draft.fields + b"\n")
            del draft, parts  # which may be long, before the next one is read
            yield size

    def _refuse(self, draft: Draft, refused: Refused) -> None:
        """Collect why a request cannot be sent; where a file is of another form, that once and nothing else."""
        what = "" if draft.fields is not None else other_object(draft.text)
        if not what:
            for reason in refused.reasons:
                self._problems.add(draft.location, reason)
        elif (draft.location.file, what) not in self._other_objects:
            self._other_objects.add((draft.location.file, what))
            self._problems.add(draft.location, what)

    def _look_at(self, checked: Checked, size: int, location: Location) -> None:
        """Estimate what a request takes, and note what may not be meant so."""
        prompt = self._estimator.add(checked.params, size)
        self._adviser.add(checked.params, prompt.text_bytes)
        if prompt.empty:
            self._problems.notices.add("request", EMPTY, location, checked.custom_id)

    def _check(self, draft: Draft, number: int) -> Checked:
        if not draft.bare:
            checked = check_request(draft.text)
        elif draft.custom_id is None:
            checked = check_params(f"{self._prefix}{number}", draft.text)
        else:
            checked = check_given(draft.custom_id, draft.text)
        size = len(checked.raw) + len(checked.custom_id) + _AROUND
        if size > self._max_bytes:
            raise Refused(
                [f"alone it makes a body of {size:,} bytes, and a batch takes {self._max_bytes:,}: shorten it"],
                checked.custom_id,
            )
        return checked

    def _note(self, custom_id: str, location: Location) -> None:
        self._hashes.add(custom_id)
        self._locations.add(location)

    def _find_repeats(self, files: Sequence[RequestFile]) -> None:
        suspects, more = self._hashes.suspects()
        if not suspects:
            return
        custom_ids = map(custom_id_of, self._spool.read_back())
        for repeat in repeats(zip(custom_ids, self._locations, strict=True), suspects):
            first = repeat.first.within if repeat.first.file == repeat.again.file else str(repeat.first)
            self._problems.add(repeat.again, f"the custom_id {repeat.custom_id!r} was used in {first} already")
        if more:
            self._problems.add_to_file(
                name_of(files[0]),
                f"more than {MOST_NAMED:,} custom_ids are used more than once; so many are named",
            )

    def _publish(self) -> None:
        fields = self._spool.path.with_name(FIELDS)
        if self._fields is None:
            with suppress(FileNotFoundError):
                fields.unlink()  # of another submission, which this one takes the place of
        else:
            self._fields.sync()
            self._fields.publish()
        self._spool.publish()


def _bytes_in_all(files: Sequence[RequestFile]) -> int:
    """The size of all files; 0 when one of them has none, as a pipe, or cannot be read, which is found later."""
    paths = [Path(file) for file in files if isinstance(file, str | Path)]
    if len(paths) == len(files) and all(path.is_file() for path in paths):
        return sum(path.stat().st_size for path in paths)
    return 0


def _remove_if_empty(directory: Path) -> None:
    with suppress(OSError):
        directory.rmdir()
