"""The results to serve: realistic records of a given size, and the little answers around them, all as files.

The directory is laid out as a server's URLs are, so that any server of static files can play the API:

    {coding}/results/{name}.jsonl                      the results; under `gzip/` they are gzipped
    {scheme}/{coding}/v1/messages/batches/{batch}      the answer to a retrieve, with the absolute URL of the results
    {scheme}/{coding}/v1/messages/batches/_list        the answer to a list
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from benchmarks.job import Job
from benchmarks.records import records as make_records
from streamer.api.types import Batch, BatchPage, RequestCounts

CODINGS = ("identity", "gzip")
CREATED = datetime(2026, 1, 1, tzinfo=UTC)


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """Results of one size.

    Attributes:
        name: part of the batches' ids.
        records: how many.
        size: bytes, decoded.
        batch_ids: the batches that have these results; usually one.
    """

    name: str
    records: int
    size: int
    batch_ids: list[str]


class Bodies:
    """Makes results under a directory.

    Args:
        root: the directory.
        origins: of the server that serves it, by scheme.
    """

    def __init__(self, root: Path, origins: Mapping[str, str]) -> None:
        self._root = root
        self._origins = origins

    def make(self, name: str, *, records: int, record_bytes: int, batches: int = 1, gzip: bool = False) -> Body:
        """Write results of `records` records of `record_bytes` on average, which `batches` batches share."""
        plain = self._results("identity", name)
        with plain.open("wb") as file:
            file.writelines(make_records(records, record_bytes))
        ids = [f"msgbatch_{name}x{number}" for number in range(batches)]
        for scheme in self._origins:
            for coding in CODINGS if gzip else CODINGS[:1]:
                self._answers(scheme, coding, name, ids, records)
        if gzip:
            _compress(plain, self._results("gzip", name))
        return Body(name=name, records=records, size=plain.stat().st_size, batch_ids=ids)

    def job(self, body: Body, *, scheme: str = "http", coding: str = "identity", concurrency: int = 8) -> Job:
        """The job of fetching `body`."""
        return Job(
            base_url=f"{self._origins[scheme]}/{scheme}/{coding}",
            results_url=self._url(scheme, coding, body.name),
            batch_ids=body.batch_ids,
            records=body.records * len(body.batch_ids),
            size=body.size * len(body.batch_ids),
            body=str(self._results("identity", body.name)),
            concurrency=concurrency,
        )

    def _url(self, scheme: str, coding: str, name: str) -> str:
        return f"{self._origins[scheme]}/{coding}/results/{name}.jsonl"

    def _results(self, coding: str, name: str) -> Path:
        path = self._root / coding / "results" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _answers(self, scheme: str, coding: str, name: str, ids: list[str], records: int) -> None:
        directory = self._root / scheme / coding / "v1" / "messages" / "batches"
        directory.mkdir(parents=True, exist_ok=True)
        batches = [
            Batch(
                id=batch_id,
                processing_status="ended",
                request_counts=RequestCounts(succeeded=records),
                created_at=CREATED,
                ended_at=CREATED,
                expires_at=CREATED + timedelta(days=1),
                results_url=self._url(scheme, coding, name),
            )
            for batch_id in ids
        ]
        for batch in batches:
            (directory / batch.id).write_bytes(msgspec.json.encode(batch))
        page = BatchPage(data=batches, first_id=ids[0], last_id=ids[-1])
        (directory / "_list").write_bytes(msgspec.json.encode(page))


def _compress(plain: Path, packed: Path) -> None:
    """As servers do it on the fly: gzip at its fastest level."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    with plain.open("rb") as source, packed.open("wb") as target:
        while piece := source.read(1 << 20):
            target.write(packer.compress(piece))
        target.write(packer.flush())
