"""A project whose requests are not those of before: the new ones become batches, the others stay what they are."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import chain
from pathlib import Path

from streamer.disk.failures import cannot_write
from streamer.errors import ConfigurationError
from streamer.project.options import SubmitOptions
from streamer.requests.changes import NAMED, Changes, Difference, SentRequests
from streamer.requests.slices import split
from streamer.requests.spool import NewSpool, custom_id_of, read_spool
from streamer.submission.ledger import Ledger, Spooled, State
from streamer.submission.warming import first_alone

log = logging.getLogger("streamer.project")

PART = "part-"
REMOVED = "removed-"
TEMPLATE = "template"  # what the ledger keeps: the digest of the template that CSV was filled into
SHOWN = 5  # custom_ids in a sentence


def extend(ledger: Ledger, spool: NewSpool, options: SubmitOptions, check: Callable[[], None]) -> Changes:
    """Plan what is to be sent of the requests of now.

    A crash anywhere leaves the project as it was or as it is to be, and the same call again does the rest.

    Args:
        ledger: the project's, of which something was sent.
        spool: all requests of now, written and not yet published.
        options: how they become batches, and whether changed ones are sent again.
        check: called from time to time; what it raises ends this.

    Returns:
        How they stand to what was sent.

    Raises:
        ConfigurationError: some were changed, and nobody said that they are to be sent again; or all are others.
        StorageError: the disk does not take it.
    """
    keep_first_spool(ledger)
    attempt = max(one.attempt for one in ledger.spools()) + 1
    path = ledger.directory / f"{PART}{attempt}.jsonl"
    changes = Changes()
    with SentRequests(ledger.directory) as sent, NewSpool(path) as new:
        sent.add(chain.from_iterable(sent_requests(ledger)))
        first_line = 0

        def lengths() -> Iterator[int]:
            nonlocal first_line
            lines = ((custom_id_of(line), line) for line in spool.read_back())
            for custom_id, line, difference in sent.compare(lines):
                check()
                changes.count(custom_id, difference)
                if difference is not Difference.SAME and (not changes.changed or options.changed == "resend"):
                    new.write(line)
                    first_line = first_line or len(line)
                    yield len(line)

        slices = list(split(lengths(), max_requests=options.max_requests, max_bytes=options.max_bytes))
        if changes.changed and options.changed != "resend":
            raise _refused(ledger, changes, options)
        if not (changes.same or changes.changed):
            raise ConfigurationError(
                f"none of the requests that were sent from {ledger.directory} is in these files; nothing is sent. Put "
                "the files back, to go on with it; or name another project (--project DIR), and all of these are sent"
            )
        _write_removed(ledger.directory, spool.digest, sent, changes)
        if slices:
            new.publish()
    if slices and options.warm_cache:
        slices = first_alone(slices, first_line)
    _warn(changes)
    ledger.extend(Spooled(attempt, path.name, new.digest, retry=False), spool.digest, slices)
    return changes


def sent_requests(ledger: Ledger) -> Iterator[Iterator[tuple[str, bytes]]]:
    """The requests that were sent, or may have been, in the order in which they were; of each batch at a time."""
    adopted = set()  # attempts whose batches were made elsewhere: nobody knows what of the spool is in which
    for one in ledger.batches():
        if one.retry or one.attempt in adopted or (one.state is State.PLANNED and one.window_at is None):
            continue
        if not one.slice.requests:
            adopted.add(one.attempt)
        yield read_spool(ledger.directory / one.spool, one.slice if one.slice.requests else None)


def removed_ids(directory: Path, asked: str) -> Iterator[str]:
    """The custom_ids of requests that were sent and are not among those with this digest."""
    path = _removed(directory, asked)
    if path.exists():
        with path.open() as file:
            yield from map(str.rstrip, file)


def keep_first_spool(ledger: Ledger) -> None:
    """The spool that the first batches were made of gets a name of its own: another one is about to take its place."""
    [first] = [one for one in ledger.spools() if one.attempt == 1]
    kept = ledger.directory / f"{PART}1.jsonl"
    if first.name == kept.name:
        return
    try:
        kept.unlink(missing_ok=True)  # of a run that was killed right here
        os.link(ledger.directory / first.name, kept)
    except OSError as error:
        raise cannot_write(kept, error, "nothing was sent") from error
    ledger.rename_spool(1, kept.name)


def _write_removed(directory: Path, asked: str, sent: SentRequests, changes: Changes) -> None:
    """Keep the custom_ids that were sent and are not asked for now: their answers are no surprise."""
    target = _removed(directory, asked)
    with NewSpool(target) as file:
        for custom_id in sent.removed():
            changes.removed += 1
            if len(changes.removed_ids) < NAMED:
                changes.removed_ids.append(custom_id)
            file.write(custom_id.encode() + b"\n")
        if changes.removed:
            file.publish()
    for other in directory.glob(f"{REMOVED}*.txt"):
        if other != target:
            other.unlink()


def _removed(directory: Path, asked: str) -> Path:
    return directory / f"{REMOVED}{asked[:16]}.txt"


def _warn(changes: Changes) -> None:
    """Tell of what costs money again, and of what is left out: nobody may look at anything else."""
    if changes.changed:
        log.warning(
            "%s requests have changed and are sent, and paid for, again (%s)",
            f"{changes.changed:,}",
            _named(changes.changed_ids, changes.changed),
            extra={"action": "changed"},
        )
    if changes.removed:
        log.warning(
            "%s requests that were sent are not in the files any more (%s); their answers are left out",
            f"{changes.removed:,}",
            _named(changes.removed_ids, changes.removed),
            extra={"action": "removed"},
        )


def _named(ids: list[str], number: int) -> str:
    return ", ".join(map(repr, ids[:SHOWN])) + ", ..." * (number > SHOWN)


def template_digest(template: str | Path) -> str:
    """What tells a template from others."""
    return sha256(Path(template).read_bytes()).hexdigest()


def _refused(ledger: Ledger, changes: Changes, options: SubmitOptions) -> ConfigurationError:
    names = _named(changes.changed_ids, changes.changed)
    known = ledger.facts(TEMPLATE)
    why = "new rows belong at the end where custom_ids are made, as those go by position"
    if options.template is not None and known and known != [template_digest(options.template)]:
        why = f"the template {options.template} is not the one that they were made with"
    return ConfigurationError(
        f"{changes.changed:,} of the requests were sent with other params before ({names}); nothing is sent: {why}. "
        "Put that back as it was; or say --changed resend, and they are sent and paid for again; or name another "
        "project (--project DIR)"
    )
