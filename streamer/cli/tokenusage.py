"""What records used, summed: those of a result file, or of batches whose results the API still has."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from itertools import compress
from pathlib import Path

from streamer.api.types import Batch
from streamer.errors import ConfigurationError, ResultsError
from streamer.requests.duplicates import IdHashes
from streamer.results.accounting import Tally, Tokens
from streamer.results.block import Block
from streamer.results.record import HeadResult
from streamer.sinks.base import PartWriter, Sink
from streamer.sources.resultfile import BrokenFileError, FileReader, opened, stream_records


class UsageTotal:
    """Records by type, and tokens by model."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        self.usage: dict[str, Tokens] = {}

    def add_records(self, ids: list[str], results: list[HeadResult]) -> None:
        """Count records, by their custom_ids and what is known of their results."""
        tally = Tally()
        tally.add(ids, results)
        self.add(tally.types, tally.usage)

    def add(self, records: Mapping[str, int], usage: Mapping[str, Tokens]) -> None:
        """Count another sum."""
        self.records.update(records)
        for model, tokens in usage.items():
            self.usage.setdefault(model, Tokens()).add(tokens)


async def usage_of_file(path: Path) -> UsageTotal:
    """What the records of a result file used; a custom_id that comes again is not counted again.

    Only where ids have the same hash is the file read once more, and those ids are looked at themselves.

    Raises:
        ConfigurationError: the file cannot be read, is compressed, or there is no room for temporary files.
        ResultsError: something in it is not a record.
    """
    try:
        with opened(path) as (descriptor, _), IdHashes(Path(tempfile.gettempdir())) as hashes:
            spent = UsageTotal()
            async with aclosing(stream_records(descriptor, FileReader(arrays=True))) as found:
                async for records in found:
                    for custom_id in records.ids:
                        hashes.add(custom_id)
                    spent.add_records(records.ids, records.results)
            again, _ = hashes.suspects(most=spent.records.total())
            if not again:
                return spent
            spent, seen = UsageTotal(), set[str]()
            async with aclosing(stream_records(descriptor, FileReader(arrays=True))) as found:
                async for records in found:
                    new = [hash(custom_id) not in again or _first(custom_id, seen) for custom_id in records.ids]
                    spent.add_records(list(compress(records.ids, new)), list(compress(records.results, new)))
            return spent
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be counted: {error.strerror}") from None
    except BrokenFileError as broken:
        raise ResultsError(
            f"{path} is not counted: at byte {broken.offset:,} it holds something else than a record "
            f"({broken.reason}); results are one record to a line, or one JSON array of records"
        ) from None


def _first(custom_id: str, seen: set[str]) -> bool:
    if custom_id in seen:
        return False
    seen.add(custom_id)
    return True


class CountingSink(Sink):
    """Keeps no record; that the pipeline counts them is all that is wanted."""

    async def open(self, batch: Batch) -> PartWriter:
        """A writer for one batch."""
        return _CountingWriter(Tally())


class _CountingWriter(PartWriter):
    destination = ""

    async def write(self, block: Block) -> None:
        """The pipeline has counted them."""

    async def write_part(self, part: bytes) -> None:
        """The pipeline reads what it needs."""

    async def end_parts(self, *, keep: bool) -> None:
        """Nothing was kept."""

    async def commit(self) -> None:
        """Nothing is to be made final."""

    async def close(self) -> None:
        """There is nothing to let go of."""
