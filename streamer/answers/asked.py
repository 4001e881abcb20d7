"""What was asked: the requests that answers belong to, from a project's spool or from request files of any form.

Files are checked no further than finding the answers needs: a request that the API refused has an answer that says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from streamer.defaults import MAX_BYTES
from streamer.errors import ConfigurationError, StorageError
from streamer.requests.duplicates import IdHashes
from streamer.requests.prepare import ID_PREFIX
from streamer.requests.problems import OnProblem, ProblemLog
from streamer.requests.reading import Draft, RequestFile, name_of, read_drafts
from streamer.requests.spool import read_spool
from streamer.requests.template import ParamsTemplate
from streamer.results.record import lenient_loads


class Asked(NamedTuple):
    """One request."""

    custom_id: str
    line: bytes  # the request as one line of JSON
    columns: bytes | None = None  # the row of data it was made of, as a JSON object


def asked_in_spool(spool: Path, fields: Path | None = None) -> Iterator[Asked]:
    """The requests of a spool, in order.

    Args:
        spool: the file.
        fields: the CSV records they were made of, line by line; None when there are none.

    Raises:
        ConfigurationError: a file cannot be read.
        StorageError: one of them is damaged.
    """
    try:
        if fields is None:
            yield from (Asked(custom_id, line) for custom_id, line in read_spool(spool))
            return
        with fields.open("rb") as columns:
            for (custom_id, line), record in zip(read_spool(spool), columns, strict=True):
                yield Asked(custom_id, line, record)
    except OSError as error:
        raise ConfigurationError(f"{error.filename} cannot be read: {error.strerror}") from error
    except ValueError as error:  # of a line, or that one of the files has more of them
        both = f"{spool}" if fields is None else f"{spool} and {fields}"
        raise StorageError(
            f"{both} no longer hold what was written there ({error}); run the same command again with the same request "
            "files, which writes them anew"
        ) from error


def asked_in_files(
    files: Sequence[RequestFile],
    *,
    scratch: Path,
    on_problem: OnProblem,
    id_prefix: str | None = None,
    template: str | Path | None = None,
) -> Iterator[Asked]:
    """The requests of request files, in order, each with the custom_id it was sent with.

    Args:
        files: paths, or binary files.
        scratch: a directory for temporary files, which have no names.
        on_problem: told of what cannot be a request.
        id_prefix: what custom_ids begin with that had to be made.
        template: the params that CSV was filled into.

    Raises:
        ConfigurationError: something in them is no request, has no custom_id, or has one that was there before.
    """
    problems = ProblemLog(on_problem)
    parsed = None if template is None else _template(template)
    drafts = read_drafts(files, problems, template=parsed, longest=MAX_BYTES)
    with IdHashes(scratch) as hashes:
        for number, draft in enumerate(drafts, start=1):
            custom_id = draft.custom_id or (f"{id_prefix or ID_PREFIX}{number}" if draft.bare else _custom_id(draft))
            if custom_id is None:
                problems.add(draft.location, "this is no request with a custom_id")
                continue
            hashes.add(custom_id)
            yield Asked(custom_id, _line(custom_id, draft), draft.fields)
        if problems.count:
            raise problems.error()
        suspects, _ = hashes.suspects()
    if suspects:
        names = ", ".join(map(name_of, files))
        raise ConfigurationError(
            f"custom_ids are used more than once in {names} ({len(suspects):,} of them), so which answer belongs to "
            "which request cannot be told; name the files of one submission only"
        )


def _template(path: str | Path) -> ParamsTemplate:
    try:
        return ParamsTemplate(Path(path).read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


class _Identified(msgspec.Struct, gc=False):
    custom_id: str


_identified = msgspec.json.Decoder(_Identified)


def _custom_id(draft: Draft) -> str | None:
    """The custom_id that a request has; None where it has none, or one that is no text."""
    try:
        return _identified.decode(draft.text).custom_id
    except (ValueError, RecursionError):
        pass  # JSON that msgspec does not take, or no request
    try:
        found = lenient_loads(bytes(draft.text))
        return str(found["custom_id"]).encode().decode()  # half a surrogate pair can neither be looked up nor written
    except (ValueError, RecursionError, TypeError, LookupError):
        return None


def _line(custom_id: str, draft: Draft) -> bytes:
    line = b'{"custom_id":"%s","params":%s}' % (custom_id.encode(), draft.text) if draft.bare else bytes(draft.text)
    return line.replace(b"\r", b" ").replace(b"\n", b" ") if b"\n" in line or b"\r" in line else line
