"""What is done to the content of a body."""

from __future__ import annotations

import json
import zlib

import pytest

from streamer.faults.kinds import zstd
from tests.faults.raw import Truth, ask, connected, damaging, request, results


async def test_reorder_is_the_same_records_in_another_order_each_time(truth: Truth) -> None:
    async with damaging(truth.upstream, "reorder") as base_url:
        first, second = [(await ask(base_url, truth.path)).content for _ in range(2)]
    assert sorted(first.split(b"\n")) == sorted(second.split(b"\n")) == sorted(truth.records)
    assert len({first, second, truth.results}) == 3
    assert first == (await results(truth, "reorder")).content


async def test_drop_leaves_records_out(truth: Truth) -> None:
    assert (await results(truth, "drop=7")).content.split(b"\n") == truth.records[7:]


async def test_duplicate_sends_records_again(truth: Truth) -> None:
    assert (await results(truth, "duplicate=7")).content.split(b"\n") == truth.records + truth.records[:7]


async def test_extra_sends_records_that_nobody_asked_for(truth: Truth) -> None:
    extra, *rest = (await results(truth, "extra")).content.split(b"\n")
    assert rest == truth.records
    assert json.loads(extra)["custom_id"] not in {json.loads(record)["custom_id"] for record in rest}


async def test_garbage_is_a_line_that_cannot_be_decoded(truth: Truth) -> None:
    lines = (await results(truth, "poison@50%")).content.split(b"\n")
    garbage = [line for line in lines if line not in truth.records]
    assert [line for line in lines if line in truth.records] == truth.records
    assert 0 < lines.index(garbage[0]) < len(lines) - 1
    with pytest.raises(ValueError, match="Unterminated string"):
        json.loads(garbage[0])


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("digits", b"9" * 5000),
        ("deep", b"[" * 100_000),
        ("utf8", b"\xff\xfe"),
        ("nul", b"\0"),
        ("surrogate", b"\\ud800"),
        ("separators", "\u2028".encode()),
    ],
)
async def test_other_poison_harms_one_record(truth: Truth, kind: str, sign: bytes) -> None:
    lines = (await results(truth, f"poison={kind}@3000")).content.split(b"\n")
    changed = [(line, record) for line, record in zip(lines, truth.records, strict=True) if line != record]
    assert len(changed) == 1
    line, record = changed[0]
    assert line.startswith(record[:-1])
    assert sign in line


async def test_line_ends_and_marks(truth: Truth) -> None:
    assert (await results(truth, "crlf")).content == truth.results.replace(b"\n", b"\r\n")
    assert (await results(truth, "blank")).content == truth.results.replace(b"\n", b"\n\n")
    assert (await results(truth, "bom")).content == b"\xef\xbb\xbf" + truth.results
    together = (await results(truth, "bom", "blank", "crlf")).content
    assert together == b"\xef\xbb\xbf" + truth.results.replace(b"\n", b"\r\n\r\n")


@pytest.mark.parametrize(("place", "index"), [("1234", 1234), ("50%", None), ("100%", -1)])
async def test_bitflip_changes_one_bit(truth: Truth, place: str, index: int | None) -> None:
    index = len(truth.results) // 2 if index is None else index
    expected = bytearray(truth.results)
    expected[index] ^= 1
    assert (await results(truth, f"bitflip@{place}")).content == bytes(expected)


def _decoder(coding: str) -> zlib._Decompress:
    if coding == "zstd":
        decoder: zlib._Decompress = zstd().ZstdDecompressor()
        return decoder
    return zlib.decompressobj(wbits=31 if coding == "gzip" else 15)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
async def test_compressed_bodies_are_whole(truth: Truth, coding: str) -> None:
    got = await results(truth, coding)
    assert got.headers["content-encoding"] == coding
    decoder = _decoder(coding)
    assert decoder.decompress(got.content) == truth.results
    assert decoder.eof


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
async def test_cut_compressed_bodies_look_whole_on_the_wire(truth: Truth, coding: str) -> None:
    whole = await results(truth, coding)
    got = await results(truth, f"{coding}_cut@60%")
    assert got.body == whole.body[: int(len(whole.body) * 0.6)]
    assert got.headers["content-length"] == str(len(got.body))
    assert not got.reset
    decoder = _decoder(coding)
    assert truth.results.startswith(decoder.decompress(got.body))
    assert not decoder.eof


async def test_a_bomb_is_valid_gzip_of_valid_records_and_very_small(truth: Truth) -> None:
    got = await results(truth, "bomb=32m")
    assert len(got.body) == int(got.headers["content-length"]) < 32 * 2**20 / 200
    decoder = zlib.decompressobj(wbits=31)
    content = decoder.decompress(got.body)
    assert decoder.eof
    assert len(content) == pytest.approx(32 * 2**20, rel=0.001)
    assert {json.loads(line)["custom_id"] for line in set(content.splitlines())} == {"bomb"}


async def test_a_big_header_beside_a_body_that_is_well(truth: Truth) -> None:
    got = await results(truth, "big_header=100k")
    assert max(len(value) for value in got.headers.values()) == 100 * 1024
    assert got.content == truth.results


async def test_endless_headers(truth: Truth) -> None:
    async with damaging(truth.upstream, "endless_headers") as base_url, connected(base_url) as (reader, writer):
        writer.write(request(truth.path))
        assert b"\r\n\r\n" not in await reader.readexactly(1 << 20)


async def test_an_endless_error_body(truth: Truth) -> None:
    async with damaging(truth.upstream, "poll:endless_body=503") as base_url, connected(base_url) as (reader, writer):
        writer.write(request(truth.poll))
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 503 ")
        await reader.readexactly(1 << 20)


async def test_strong_etag_and_the_part_that_was_asked_for(truth: Truth) -> None:
    async with damaging(truth.upstream, "etag") as base_url:
        whole = await ask(base_url, truth.path)
        tag = whole.headers["etag"]
        rest = await ask(base_url, truth.path, {"range": "bytes=1000-", "if-range": tag})
        other = await ask(base_url, truth.path, {"range": "bytes=1000-", "if-range": '"other"'})
        after = await ask(base_url, truth.path, {"range": f"bytes={len(truth.results)}-"})
    size = len(truth.results)
    assert (whole.status, whole.body) == (200, truth.results)
    assert (rest.status, rest.body) == (206, truth.results[1000:])
    assert rest.headers["content-range"] == f"bytes 1000-{size - 1}/{size}"
    assert rest.headers["etag"] == tag
    assert (other.status, other.body) == (200, truth.results)
    assert (after.status, after.headers["content-range"]) == (416, f"bytes */{size}")


async def test_lies_about_parts(truth: Truth) -> None:
    size = len(truth.results)
    asked = {"range": "bytes=1000-"}
    ignored = await results(truth, "ignore_range", headers=asked)
    assert (ignored.status, ignored.body) == (200, truth.results)
    late = await results(truth, "wrong_range=start", headers=asked)
    assert (late.status, late.headers["content-range"]) == (206, f"bytes 1001-{size - 1}/{size}")
    total = await results(truth, "wrong_range=total", headers=asked)
    assert total.headers["content-range"] == f"bytes 1000-{size - 1}/{size + 1}"
    missing = await results(truth, "wrong_range=missing", headers=asked)
    assert (missing.status, missing.headers.get("content-range")) == (206, None)
    assert (await results(truth, "range_416", headers=asked)).status == 416


async def test_etags_that_change_and_weak_ones(truth: Truth) -> None:
    async with damaging(truth.upstream, "change_etag") as base_url:
        tags = {(await ask(base_url, truth.path)).headers["etag"] for _ in range(3)}
    assert len(tags) == 3
    assert (await results(truth, "weak_etag")).headers["etag"].startswith('W/"')


async def test_a_part_can_be_cut_too(truth: Truth) -> None:
    got = await results(truth, "etag", "fin@100", headers={"range": "bytes=5000-"})
    assert got.body == truth.results[5000:5100]
    assert got.headers["content-length"] == str(len(truth.results) - 5000)
