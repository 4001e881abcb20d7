"""Whether request files were sent already, from another project: known by what they hold, not by what they are called.

The project of request files is found by the name of the first one. Given in another order, by another pattern or by a
symbolic link, the same files would begin a new project, and all of them would be paid for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import file_digest, sha256
from pathlib import Path

from streamer.errors import StreamerError
from streamer.requests.reading import RequestFile
from streamer.submission.ledger import NAME, State
from streamer.submission.ledgercopy import copied_ledger

INPUT = "input"  # what the ledger keeps: digests of the files that requests came from


def input_digests(files: Sequence[RequestFile], template: str | Path | None) -> list[str]:
    """What tells each request file, with the template it is filled into, from others; none for a stream."""
    beside = b"" if template is None else _digest(template)
    paths = [file for file in files if isinstance(file, str | Path) and Path(file).is_file()]
    return [sha256(_digest(path) + beside).hexdigest() for path in paths]


def sent_elsewhere(own: Path, files: Sequence[RequestFile], inputs: Sequence[str], spool_digest: str) -> Path | None:
    """Another project from which one of these files was sent, or all of these requests; None when there is none.

    Looked at are the projects beside this one and beside the files, wherever a symbolic link leads.

    Args:
        own: the project's directory.
        files: the request files.
        inputs: their digests.
        spool_digest: of all requests.
    """
    for directory in _beside(own, files):
        try:
            with copied_ledger(directory) as ledger:
                digests = {spool.digest for spool in ledger.spools()}
                same = spool_digest in digests or not set(inputs).isdisjoint(ledger.facts(INPUT))
                if same and any(one.state is not State.PLANNED for one in ledger.batches()):
                    return directory
        except StreamerError:  # no ledger that can be read says nothing about these files
            continue
    return None


def _beside(own: Path, files: Sequence[RequestFile]) -> Iterator[Path]:
    places = [own.absolute().parent]
    for file in files:
        if isinstance(file, str | Path):
            places += [Path(file).absolute().parent, Path(file).resolve().parent]
    seen = {own.resolve()}
    for place in dict.fromkeys(places):
        try:
            found = sorted(one for one in place.iterdir() if (one / NAME).is_file())
        except OSError:
            continue
        for directory in found:
            if directory.resolve() not in seen:
                seen.add(directory.resolve())
                yield directory


def _digest(path: str | Path) -> bytes:
    with Path(path).open("rb") as file:
        return file_digest(file, "sha256").digest()
