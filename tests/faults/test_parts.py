"""The pure parts: whatever pieces bytes come in, the same comes out."""

from __future__ import annotations

import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.faults.body import BodyStage
from streamer.faults.coding import BitFlip, compress
from streamer.faults.http1 import Unchunk, chunk, operation_of, parse_head
from streamer.faults.linechanges import lines
from streamer.faults.ranges import part
from streamer.faults.script import Script
from streamer.faults.send import Cut, Pace

BODIES = st.lists(st.sampled_from([b"{}", b'{"a":1}', b"", b"\n", b"\r\n", b"x" * 50]), max_size=12).map(b"".join)
CUTS = st.lists(st.integers(0, 200), max_size=8)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data in pieces, none of them empty."""
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


def through(stage: BodyStage, data: bytes, cuts: list[int]) -> bytes:
    return b"".join([*(stage.feed(piece) for piece in pieces(data, cuts)), stage.end()])


def stage(*faults: str, size: int | None = None) -> BodyStage:
    return lines(Script(faults).next("results"), size)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), CUTS)
def test_chunks_are_undone(parts: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(chunk(one) for one in parts) + b"0;x=y\r\ntrailer: 1\r\n\r\n"
    unchunk = Unchunk()
    assert b"".join(unchunk.feed(piece) for piece in pieces(wire, cuts)) == b"".join(parts)
    assert unchunk.done
    cut_off = Unchunk()
    cut_off.feed(wire[:-1])
    assert not cut_off.done


@given(BODIES, CUTS)
def test_records_that_nothing_is_done_to_stay_as_they_are(body: bytes, cuts: list[int]) -> None:
    assert through(stage("drop=1", size=len(body)), b"x\n" + body, cuts) == body
    assert through(stage("poison=nul@1g"), body, cuts) == body


@given(BODIES, CUTS, st.integers(0, 300))
def test_changes_do_not_depend_on_the_pieces(body: bytes, cuts: list[int], place: int) -> None:
    for faults in (["crlf", "bom"], ["reorder", "duplicate=2"], [f"poison@{place}"], ["drop=2", "extra=2", "blank"]):
        assert through(stage(*faults), body, cuts) == through(stage(*faults), body, [])


@given(st.binary(min_size=1, max_size=100), CUTS, st.integers(0, 120))
def test_one_bit_is_flipped(body: bytes, cuts: list[int], place: int) -> None:
    changed = through(BitFlip(place), body, cuts)
    assert [at for at in range(len(body)) if body[at] != changed[at]] == [place] * (place < len(body))


@given(st.binary(max_size=500), CUTS)
def test_compression_can_be_undone(body: bytes, cuts: list[int]) -> None:
    assert zlib.decompress(through(compress("gzip"), body, cuts), wbits=31) == body
    assert zlib.decompress(through(compress("deflate"), body, cuts)) == body


@given(BODIES, CUTS, st.integers(0, 300), st.sampled_from([None, "boundary", "inside"]))
def test_cuts(body: bytes, cuts: list[int], place: int, side: str | None) -> None:
    cut, sent = Cut(place, side), b""
    for piece in pieces(body, cuts):
        if not cut.reached:
            sent += cut.feed(piece)
    within = cut.reached
    cut.end()
    assert body.startswith(sent)
    assert cut.reached is (place <= len(body))
    if not within:
        assert sent == body
        return
    assert len(sent) >= place
    before, after = (b"\n" + body)[len(sent) : len(sent) + 1], body[len(sent) : len(sent) + 1]
    match side:
        case None:
            assert len(sent) == place
        case "boundary":
            assert before == b"\n"
        case _:
            assert b"\n" not in (before, after)
            assert after


@given(
    size=st.integers(1, 50),
    first=st.integers(0, 60),
    last=st.none() | st.integers(0, 60),
    kind=st.sampled_from(["etag", "weak_etag", "change_etag"]),
)
def test_honest_parts_are_slices(size: int, first: int, last: int | None, kind: str) -> None:
    body = bytes(range(size))
    (fault,) = Script([kind]).next("results")
    found = part(fault, size, "seed", f"bytes={first}-{'' if last is None else last}", None)
    expected = body[first : None if last is None else last + 1]
    assert body[found.start : found.stop] == expected
    assert found.status == (206 if expected else 416)


def test_the_last_bytes_are_a_part_too() -> None:
    (fault,) = Script(["etag"]).next("results")
    assert (part(fault, 50, "seed", "bytes=-10", None).start, part(fault, 50, "seed", None, None).status) == (40, 200)


@given(st.integers(1, 10**7), st.none() | st.integers(1, 10**5))
def test_a_drip_is_as_fast_as_asked(rate: int, step: int | None) -> None:
    from streamer.faults.damage import Faults

    faults = [f"drip={rate}"] + ([f"slice={step}"] if step is not None else [])
    pace = Pace.of(Faults(Script(faults).next("results")))
    assert pace.per_byte * rate == pytest.approx(1)
    assert pace.step == (step if step is not None else max(1, min(rate // 20, 65536)))


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("POST", "/v1/messages/batches", ("create", "")),
        ("GET", "/v1/messages/batches?limit=5", ("list", "")),
        ("GET", "/anthropic/v1/messages/batches/b1?beta=true", ("poll", "b1")),
        ("GET", "/v1/messages/batches/b1/results", ("results", "b1")),
        ("POST", "/v1/messages/batches/b1/cancel", ("cancel", "b1")),
        ("DELETE", "/v1/messages/batches/b1", ("delete", "b1")),
        ("GET", "/_emulator/stats", ("other", "")),
        ("PUT", "/v1/messages/batches/b1", ("other", "b1")),
    ],
)
def test_operations(method: str, target: str, operation: tuple[str, str]) -> None:
    assert operation_of(method, target) == operation


@given(st.binary(max_size=80))
def test_any_head_is_read_or_refused(data: bytes) -> None:
    try:
        parse_head(data + b"\r\n\r\n")
    except ValueError as error:
        assert str(error) == "this is not HTTP/1.1"  # noqa: PT017 - either outcome is fine
