"""One batch to its writers over a server that answers as a script says: what breaks off goes on, what is not proved
is not final."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from streamer.api.client import Client
from streamer.api.options import ClientOptions
from streamer.api.retry import RetryPolicy
from streamer.api.types import Batch, RequestCounts, ResultType
from streamer.delivery.deliver import FILES_PAUSES, Deliverer
from streamer.delivery.options import DeliveryOptions
from streamer.delivery.redownloads import CLEAN_DOWNLOADS, FRUITLESS_DOWNLOADS
from streamer.observer import Observer
from streamer.report import BatchReport, Outcome
from streamer.results.block import Block
from streamer.results.record import Record
from streamer.sinks.base import Sink
from streamer.sinks.callback import CallbackSink
from streamer.sinks.checkpoint import CheckpointedSink
from streamer.sinks.file import FileSink, FileWriter
from streamer.sinks.journal import Journal
from tests.api.servers import Reply, Server, pours, refusal, reply, sends
from tests.clock import FakeClock

RECORDS = [
    msgspec.json.encode({"custom_id": f"r{n}", "result": {"type": "succeeded", "message": {"text": "x" * 50 * n}}})
    for n in range(10)
]
BODY = b"\n".join(RECORDS)
COUNTS = RequestCounts(succeeded=10)


def chunked(body: bytes, *, whole: bool = True) -> bytes:
    """Results as the service sends them; not `whole` lacks the final chunk."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-jsonl\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [body[:700], body[700:]] if part)
    return head + chunks + (b"0\r\n\r\n" if whole else b"")


def until_closed(body: bytes) -> bytes:
    """Results whose end is the end of the connection: a cut looks like a clean end."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/x-jsonl\r\nconnection: close\r\n\r\n" + body


async def delivered(
    script: Sequence[Reply],
    sinks: Sequence[Sink],
    *,
    counts: RequestCounts = COUNTS,
    clock: FakeClock | None = None,
    only: frozenset[ResultType] | None = None,
    max_record_bytes: int = 10_000,
    rejects: str | None = None,
    batch: Mapping[str, Any] | None = None,
) -> tuple[BatchReport, Server]:
    clock = clock or FakeClock()
    options = DeliveryOptions(only=only, max_record_bytes=max_record_bytes, rejects=rejects)
    async with Server(script) as server:
        async with Client(
            api_key="test-key", base_url=server.url, clock=clock, options=ClientOptions(retry=RetryPolicy(attempts=3))
        ) as client:
            ended = Batch(
                id="msgbatch_1",
                processing_status="ended",
                request_counts=counts,
                results_url=f"{server.url}/v1/messages/batches/msgbatch_1/results",
            )
            ended = msgspec.structs.replace(ended, **(batch or {}))
            report = await Deliverer(
                client, sinks, options, observer=Observer(), clock=clock, random=Random(1)
            ).deliver(ended)
        for sink in sinks:
            await sink.close()
    return report, server


@pytest.fixture
def target(tmp_path: Path) -> FileSink:
    return FileSink(tmp_path / "{batch_id}.jsonl")


def final(tmp_path: Path) -> bytes:
    return (tmp_path / "msgbatch_1.jsonl").read_bytes()


WHOLE = BODY + b"\n"


async def test_a_whole_batch_is_delivered_byte_for_byte(target: FileSink, tmp_path: Path) -> None:
    report, _ = await delivered([chunked(BODY)], [target])
    assert (report.outcome, report.error) == (Outcome.DELIVERED, "")
    assert final(tmp_path) == WHOLE
    assert (report.records, report.distinct, report.expected) == ({"succeeded": 10}, 10, 10)
    assert report.bytes == len(WHOLE)
    assert report.destinations == [str(tmp_path / "msgbatch_1.jsonl")]


@pytest.mark.parametrize("cut", [0, 1, 40, len(RECORDS[0]), len(RECORDS[0]) + 1, 700, len(BODY) - 1])
@pytest.mark.parametrize("how", ["cut in the framing", "cut that looks clean", "reset"])
async def test_a_cut_anywhere_costs_nothing(target: FileSink, tmp_path: Path, cut: int, how: str) -> None:
    broken = {
        "cut in the framing": sends(chunked(BODY[:cut], whole=False)),
        "cut that looks clean": sends(until_closed(BODY[:cut])),
        "reset": sends(chunked(BODY[:cut], whole=False), then_reset=True),
    }[how]
    report, server = await delivered([broken, chunked(BODY)], [target])
    assert (report.outcome, report.error) == (Outcome.DELIVERED, "")
    assert final(tmp_path) == WHOLE
    assert len(server.seen) == report.downloads == 2


async def test_a_download_that_has_brought_every_record_need_not_end_well(target: FileSink, tmp_path: Path) -> None:
    report, server = await delivered([sends(chunked(BODY + b"\n", whole=False))], [target])
    assert report.complete
    assert len(server.seen) == 1
    assert final(tmp_path) == WHOLE


async def test_another_order_at_every_download_and_always_a_cut_after_a_little_more(
    target: FileSink, tmp_path: Path
) -> None:
    rng = Random(7)
    script: list[Reply] = []
    for n in range(1, 40):
        shuffled = rng.sample(RECORDS, len(RECORDS))
        body = b"\n".join(shuffled)
        script.append(sends(chunked(body[: len(body) * min(n * 5, 95) // 100], whole=False)))
    report, _ = await delivered(script, [target])
    assert report.complete
    assert sorted(final(tmp_path).splitlines()) == sorted(RECORDS)
    assert report.downloads > 3


async def test_no_progress_gives_up_after_a_bounded_number_of_downloads_and_keeps_what_came(
    target: FileSink, tmp_path: Path
) -> None:
    cut = sends(chunked(BODY[:700], whole=False))
    report, server = await delivered([cut], [target])
    assert report.outcome == Outcome.INCOMPLETE
    assert len(server.seen) == FRUITLESS_DOWNLOADS + 1
    assert "of 10 records" in report.error
    assert "run the same command again" in report.error
    assert not (tmp_path / "msgbatch_1.jsonl").exists()
    kept = (tmp_path / "msgbatch_1.jsonl.part").read_bytes()
    assert WHOLE.startswith(kept)
    assert kept.endswith(b"\n")
    again, _ = await delivered([chunked(BODY)], [FileSink(tmp_path / "{batch_id}.jsonl")])
    assert again.complete
    assert final(tmp_path) == WHOLE


async def test_a_clean_end_with_too_few_records_proves_nothing(target: FileSink, tmp_path: Path) -> None:
    report, server = await delivered([chunked(b"\n".join(RECORDS[:8]))], [target])
    assert report.outcome == Outcome.INCOMPLETE
    assert "got 8 of 10 records (2 succeeded missing)" in report.error
    assert len(server.seen) == CLEAN_DOWNLOADS + 1
    assert not (tmp_path / "msgbatch_1.jsonl").exists()


async def test_without_a_sink_the_records_are_still_proved_complete() -> None:
    report, _ = await delivered([sends(until_closed(BODY[:700])), chunked(BODY)], [])
    assert (report.outcome, report.distinct, report.downloads) == (Outcome.DELIVERED, 10, 2)
    report, _ = await delivered([chunked(b"\n".join(RECORDS[:8]))], [])
    assert report.outcome == Outcome.INCOMPLETE


async def test_more_records_than_the_counts_say_are_not_final_either(target: FileSink, tmp_path: Path) -> None:
    report, _ = await delivered([chunked(BODY)], [target], counts=RequestCounts(succeeded=9))
    assert report.outcome == Outcome.INCOMPLETE
    assert "1 succeeded too many" in report.error
    assert not (tmp_path / "msgbatch_1.jsonl").exists()


async def test_a_duplicate_is_delivered_once_and_reported(target: FileSink, tmp_path: Path) -> None:
    report, _ = await delivered([chunked(BODY + b"\n" + RECORDS[3])], [target])
    assert report.complete
    assert (report.duplicates, report.duplicate_ids) == (1, ["r3"])
    assert final(tmp_path) == WHOLE


async def test_a_broken_record_is_kept_as_a_reject_and_the_rest_is_delivered(target: FileSink, tmp_path: Path) -> None:
    body = b"\n".join([*RECORDS[:5], b'{"custom_id":"r5","result":', *RECORDS[6:]])
    rejects = str(tmp_path / "{batch_id}.rejects.jsonl")
    report, _ = await delivered([chunked(body)], [target], rejects=rejects)
    assert (report.outcome, report.rejected, report.distinct) == (Outcome.INCOMPLETE, 1, 9)
    assert "1 could not be decoded" in report.error
    [kept] = [msgspec.json.decode(line) for line in (tmp_path / "msgbatch_1.rejects.jsonl").read_bytes().splitlines()]
    assert kept["batch_id"] == "msgbatch_1"
    assert kept["offset"] == len(b"\n".join(RECORDS[:5])) + 1
    assert kept["length"] == 27
    assert (tmp_path / "msgbatch_1.jsonl.part").read_bytes() == b"\n".join([*RECORDS[:5], *RECORDS[6:], b""])


async def test_a_reject_of_an_earlier_run_is_gone_when_the_batch_has_come_whole(
    target: FileSink, tmp_path: Path
) -> None:
    rejects = str(tmp_path / "{batch_id}.rejects.jsonl")
    (tmp_path / "msgbatch_1.rejects.jsonl").write_text("{}\n")
    await delivered([chunked(BODY)], [target], rejects=rejects)
    assert [path.name for path in tmp_path.iterdir()] == ["msgbatch_1.jsonl"]


async def test_blank_lines_without_end_are_given_up(target: FileSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.sources.download.MOST_BLANK", 100_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-jsonl\r\n\r\n"
    report, _ = await delivered([pours(head, b"\r\n" * 5000)], [target])
    assert report.outcome == Outcome.FAILED
    assert "hold no record" in report.error


async def test_only_the_wanted_types_are_delivered_and_proved(tmp_path: Path) -> None:
    errored = b'{"custom_id":"e","result":{"type":"errored"}}'
    sink = FileSink(tmp_path / "{batch_id}.jsonl")
    counts = RequestCounts(succeeded=10, errored=1)
    only: frozenset[ResultType] = frozenset({"errored"})
    report, _ = await delivered([chunked(BODY + b"\n" + errored)], [sink], counts=counts, only=only)
    assert report.complete
    assert final(tmp_path) == errored + b"\n"


async def test_a_second_run_downloads_nothing_of_a_delivered_batch(tmp_path: Path) -> None:
    await delivered([chunked(BODY)], [FileSink(tmp_path / "{batch_id}.jsonl")])
    report, server = await delivered([refusal(500)], [FileSink(tmp_path / "{batch_id}.jsonl")])
    assert (report.outcome, report.records) == (Outcome.ALREADY_DELIVERED, {"succeeded": 10})
    assert server.seen == []


async def test_a_final_file_that_lacks_records_is_left_alone_and_said(tmp_path: Path) -> None:
    (tmp_path / "msgbatch_1.jsonl").write_bytes(b"\n".join([*RECORDS[:4], b""]))
    report, server = await delivered([chunked(BODY)], [FileSink(tmp_path / "{batch_id}.jsonl")])
    assert report.outcome == Outcome.INCOMPLETE
    assert "got 4 of 10 records" in report.error
    assert "move it away" in report.error
    assert server.seen == []
    assert final(tmp_path) == b"\n".join([*RECORDS[:4], b""])


async def test_two_sinks_each_get_what_they_lack(tmp_path: Path) -> None:
    seen: list[str] = []
    (tmp_path / "msgbatch_1.jsonl.part").write_bytes(b"\n".join([*RECORDS[:4], b""]))
    sinks = [FileSink(tmp_path / "{batch_id}.jsonl"), CallbackSink(lambda record: seen.append(record.custom_id))]
    report, _ = await delivered([sends(chunked(BODY[:900], whole=False)), chunked(BODY)], sinks)
    assert report.complete
    assert seen == [f"r{n}" for n in range(10)]
    assert final(tmp_path) == WHOLE


async def test_a_held_record_of_another_type_than_the_results_have_is_refused(target: FileSink, tmp_path: Path) -> None:
    part = tmp_path / "msgbatch_1.jsonl.part"
    part.write_bytes(WHOLE[: len(RECORDS[0]) + 1].replace(b"succeeded", b"errored"))
    before = part.read_bytes()
    for _ in range(2):  # the next run says the same
        report, server = await delivered([chunked(BODY)], [target])
        assert report.outcome is Outcome.INCOMPLETE
        assert "holds 1 records that are not this batch's" in report.error
        assert "'r0', is errored there and succeeded in the results" in report.error
        assert "move what it holds away" in report.error
        assert len(server.seen) == 1
    assert part.read_bytes().startswith(before)
    part.unlink()
    report, _ = await delivered([chunked(BODY)], [target])
    assert report.outcome is Outcome.DELIVERED
    assert final(tmp_path) == WHOLE


async def test_a_held_record_that_the_batch_does_not_have_stands_for_none_of_its_own(
    target: FileSink, tmp_path: Path
) -> None:
    """Its counts would be met: nine records came before a cut that looks clean, and a tenth one was held."""
    part = tmp_path / "msgbatch_1.jsonl.part"
    part.write_bytes(RECORDS[3].replace(b'"r3"', b'"other"') + b"\n")
    short = chunked(b"\n".join(RECORDS[:9]))
    report, _ = await delivered([short, chunked(BODY)], [target])
    assert report.outcome is Outcome.INCOMPLETE
    assert "'other', is succeeded there and missing in the results" in report.error
    report, _ = await delivered([short] * CLEAN_DOWNLOADS, [target])
    assert report.outcome is Outcome.INCOMPLETE
    assert not (tmp_path / "msgbatch_1.jsonl").exists()


async def test_what_a_journal_says_was_taken_is_held_against_the_results_too(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.acknowledge("x", "msgbatch_1", [("r0", "succeeded"), ("r1", "expired"), ("stranger", "succeeded")])
    journal.close()
    seen: list[Record] = []
    sink = CheckpointedSink(CallbackSink(seen.append), tmp_path / "journal", name="x")
    report, _ = await delivered([chunked(BODY)], [sink])
    assert report.outcome is Outcome.INCOMPLETE
    assert "holds 2 records that are not this batch's, of 3 from earlier runs" in report.error
    assert "'r1', is expired there and succeeded in the results" in report.error


class ShortOfFiles(FileSink):
    """There is no descriptor left for its first opens."""

    def __init__(self, path: Path, times: int) -> None:
        super().__init__(path / "{batch_id}.jsonl")
        self.left = times

    async def open(self, batch: Batch) -> FileWriter:
        if self.left:
            self.left -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return await super().open(batch)


async def test_files_that_cannot_be_opened_for_now_are_waited_for(tmp_path: Path) -> None:
    clock = FakeClock()
    first = FileSink(tmp_path / "first" / "{batch_id}.jsonl")
    report, _ = await delivered([chunked(BODY)], [first, ShortOfFiles(tmp_path, 3)], clock=clock)
    assert (report.outcome, report.error) == (Outcome.DELIVERED, "")
    assert sum(clock.sleeps) == sum(FILES_PAUSES[:3])
    assert final(tmp_path) == final(tmp_path / "first") == WHOLE
    assert len(report.destinations) == 2
    report, _ = await delivered([], [ShortOfFiles(tmp_path, 100)])
    assert report.outcome is Outcome.FAILED
    assert "Too many open files" in report.error


async def test_a_sink_that_raises_ends_the_batch_with_its_name_and_reason(tmp_path: Path) -> None:
    class Broken(FileSink):
        async def open(self, batch: Batch) -> Any:
            writer = await super().open(batch)

            async def write(block: Block) -> None:
                raise ZeroDivisionError("by design")

            writer.write = write  # type: ignore[method-assign]
            return writer

    report, _ = await delivered([chunked(BODY)], [Broken(tmp_path / "{batch_id}.jsonl")])
    assert report.outcome == Outcome.FAILED
    assert "ZeroDivisionError: by design" in report.error


async def test_a_page_instead_of_results_is_tried_again_then_said(target: FileSink) -> None:
    page = reply(200, b"<html>Bad gateway</html>", content_type="text/html")
    report, server = await delivered([page], [target])
    assert report.outcome == Outcome.INCOMPLETE
    assert "text/html" in report.error
    assert len(server.seen) == 3 * FRUITLESS_DOWNLOADS
    report, _ = await delivered([page, chunked(BODY)], [target])
    assert report.complete


async def test_an_overload_that_outlasts_the_clients_patience_does_not_end_the_batch(
    target: FileSink, tmp_path: Path
) -> None:
    script: list[Reply] = [refusal(529)] * 10
    script.append(chunked(BODY))
    report, _ = await delivered(script, [target])
    assert report.complete
    assert final(tmp_path) == WHOLE


async def test_a_spend_limit_ends_the_batch_at_once(target: FileSink) -> None:
    spent = refusal(429, error_code="enforced_spend_limit_reached")
    report, server = await delivered([spent, chunked(BODY)], [target])
    assert report.outcome == Outcome.FAILED
    assert len(server.seen) == 1


async def test_a_foreign_results_url_is_refused_and_nothing_is_sent(target: FileSink) -> None:
    report, server = await delivered([chunked(BODY)], [target], batch={"results_url": "https://evil.example/results"})
    assert report.outcome == Outcome.FAILED
    assert "evil.example" in report.error
    assert "--trust-host" in report.error
    assert server.seen == []


async def test_a_record_too_long_to_hold_is_delivered_in_parts(tmp_path: Path) -> None:
    long = msgspec.json.encode(
        {"custom_id": "long", "result": {"type": "succeeded", "message": {"model": "m", "text": "y" * 50_000}}}
    )
    body = b"\n".join([*RECORDS[:5], long, *RECORDS[5:]])
    sink = FileSink(tmp_path / "{batch_id}.jsonl")
    counts = RequestCounts(succeeded=11)
    script: list[Reply] = [sends(chunked(body[:40_000], whole=False)), chunked(body)]
    report, _ = await delivered(script, [sink], counts=counts, max_record_bytes=5000)
    assert (report.outcome, report.error) == (Outcome.DELIVERED, "")
    assert final(tmp_path) == body + b"\n"


async def test_a_record_too_long_for_a_sink_that_takes_whole_ones_is_rejected(tmp_path: Path) -> None:
    long = msgspec.json.encode({"custom_id": "long", "result": {"type": "succeeded", "text": "y" * 50_000}})
    body = b"\n".join([*RECORDS, long])
    seen: list[str] = []
    report, _ = await delivered(
        [chunked(body)],
        [CallbackSink(lambda record: seen.append(record.custom_id))],
        counts=RequestCounts(succeeded=11),
        max_record_bytes=5000,
        rejects=str(tmp_path / "{batch_id}.rejects.jsonl"),
    )
    assert (report.outcome, report.rejected, len(seen)) == (Outcome.INCOMPLETE, 1, 10)
    assert "CallbackWriter takes whole records only" in (tmp_path / "msgbatch_1.rejects.jsonl").read_text()


ETAG = '"v1"'


def ranged(body: bytes, start: int, *, cut: int | None = None, headers: Mapping[str, str] = {}) -> Reply:
    """An answer of a server that knows ranges, from `start` on; sent only up to `cut`."""
    fields = {
        "content-type": "application/octet-stream",
        "content-length": str(len(body) - start),
        "accept-ranges": "bytes",
        "etag": ETAG,
        **({"content-range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}),
        **headers,
    }
    status = b"206 Partial Content" if start else b"200 OK"
    head = b"".join(f"{name}: {text}\r\n".encode() for name, text in fields.items() if text)
    return sends(b"HTTP/1.1 " + status + b"\r\n" + head + b"\r\n" + body[start:cut])


BOUNDARY = len(b"\n".join(RECORDS[:6]))  # where the sixth record ends
CUT = BOUNDARY + 30


async def test_a_server_that_knows_ranges_is_asked_for_the_rest_only(target: FileSink, tmp_path: Path) -> None:
    report, server = await delivered([ranged(BODY, 0, cut=CUT), ranged(BODY, BOUNDARY)], [target])
    assert (report.outcome, report.error) == (Outcome.DELIVERED, "")
    assert final(tmp_path) == WHOLE
    assert report.bytes == len(WHOLE)
    asked = server.seen[1].headers
    assert (asked["range"], asked["if-range"]) == (f"bytes={BOUNDARY}-", ETAG)
    assert asked["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "lie",
    [
        {"content-range": f"bytes {BOUNDARY + 1}-{len(BODY) - 1}/{len(BODY)}"},
        {"content-range": f"bytes {BOUNDARY}-{len(BODY) - 2}/{len(BODY)}"},
        {"content-range": ""},
        {"content-range": "bytes some-of/them"},
        {"etag": '"v2"'},
        {"etag": ""},
        {"content-encoding": "gzip"},
    ],
)
async def test_a_part_that_is_not_the_one_asked_for_is_not_used(
    target: FileSink, tmp_path: Path, lie: dict[str, str]
) -> None:
    script = [ranged(BODY, 0, cut=CUT), ranged(BODY, BOUNDARY, headers=lie), ranged(BODY, 0)]
    report, server = await delivered(script, [target])
    assert (report.outcome, report.error) == (Outcome.DELIVERED, "")
    assert final(tmp_path) == WHOLE
    assert "range" not in server.seen[2].headers


async def test_results_that_changed_come_whole_and_nothing_is_doubled(target: FileSink, tmp_path: Path) -> None:
    other = b"\n".join(reversed(RECORDS))
    script = [ranged(BODY, 0, cut=CUT), ranged(other, 0, headers={"etag": '"v2"'})]
    report, _ = await delivered(script, [target])
    assert report.complete
    assert report.duplicates == 0
    assert sorted(final(tmp_path).splitlines()) == sorted(RECORDS)


async def test_results_that_have_become_shorter_are_fetched_from_the_beginning(
    target: FileSink, tmp_path: Path
) -> None:
    script = [ranged(BODY, 0, cut=CUT), refusal(416), ranged(BODY, 0)]
    report, _ = await delivered(script, [target])
    assert report.complete
    assert final(tmp_path) == WHOLE


@pytest.mark.parametrize("weak", [{"etag": 'W/"v1"'}, {"etag": ""}, {"accept-ranges": "none"}])
async def test_without_a_strong_validator_no_range_is_asked_for(
    target: FileSink, tmp_path: Path, weak: dict[str, str]
) -> None:
    report, server = await delivered([ranged(BODY, 0, cut=CUT, headers=weak), ranged(BODY, 0)], [target])
    assert report.complete
    assert final(tmp_path) == WHOLE
    assert "range" not in server.seen[1].headers


async def test_records_with_no_newline_between_them_go_on_where_the_next_one_begins(
    target: FileSink, tmp_path: Path
) -> None:
    body = b"".join(RECORDS)
    begins = len(b"".join(RECORDS[:6]))
    script = [ranged(body, 0, cut=begins + 30), ranged(body, begins)]
    report, server = await delivered(script, [target], max_record_bytes=len(RECORDS[-1]) + 20)
    assert (report.outcome, report.error) == (Outcome.DELIVERED, "")
    assert final(tmp_path) == WHOLE
    assert server.seen[1].headers["range"] == f"bytes={begins}-"


async def test_a_reject_before_the_cut_is_still_counted_after_going_on_by_range(tmp_path: Path) -> None:
    body = b"\n".join([*RECORDS[:2], b'{"custom_id":', *RECORDS[2:]])
    begins = len(b"\n".join([*RECORDS[:2], b'{"custom_id":', *RECORDS[2:6]]))
    sink = FileSink(tmp_path / "{batch_id}.jsonl")
    rejects = str(tmp_path / "{batch_id}.rejects.jsonl")
    script = [ranged(body, 0, cut=begins + 5), ranged(body, begins)]
    report, _ = await delivered(script, [sink], counts=RequestCounts(succeeded=10), rejects=rejects)
    assert report.complete
    assert report.rejected == 1
    assert len((tmp_path / "msgbatch_1.rejects.jsonl").read_bytes().splitlines()) == 1
