"""A block: what of a body is a record, what is a reject, and that no byte of either is lost."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.results.block import Block, Reject, read_lines
from streamer.results.framing import Framer, Lines

USAGE = {"input_tokens": 10, "output_tokens": 20, "service_tier": "batch"}


def record(custom_id: str = "a", type_: str = "succeeded", **more: Any) -> bytes:
    result: dict[str, Any] = {"type": type_}
    if type_ == "succeeded":
        result["message"] = {"model": "claude-x", "content": [{"type": "text", "text": "hi"}], "usage": USAGE} | more
    return json.dumps({"custom_id": custom_id, "result": result}, separators=(",", ":")).encode()


def read(data: bytes) -> tuple[Block | None, list[Reject]]:
    return read_lines("batch", Lines(0, data, terminated=data.endswith(b"\n")))


def only(data: bytes) -> Block:
    block, rejects = read(data)
    assert rejects == []
    assert block is not None
    return block


def rejected(data: bytes) -> Reject:
    block, [reject] = read(data)
    assert block is None
    return reject


def test_usual_lines_become_a_block_as_they_are() -> None:
    data = record("a") + b"\n" + record("b", "expired") + b"\n"
    block = only(data)
    assert block.data is data
    assert block.ids == ["a", "b"]
    assert block.types == ["succeeded", "expired"]
    message = block.results[0].message
    assert message is not None
    assert message.model == "claude-x"
    assert message.usage is not None
    assert (message.usage.input_tokens, message.usage.output_tokens) == (10, 20)


@pytest.mark.parametrize(
    "data",
    [
        record("a") + b"\n" + record("b"),
        record("a") + b"\r\n" + record("b") + b"\r\n",
        b"\n \t\r\n" + record("a") + b"\n\n\r\n" + record("b") + b"\n\n",
        record("a") + record("b") + b"\n",
        record("a") + b" \r" + record("b") + b"\n",
        record("a") + record("b") + b"\n\n",  # as many records as newlines, and still not one in each line
        b"  " + record("a") + b" \n\t" + record("b") + b"\t\n",
    ],
    ids=["no final newline", "crlf", "blanks", "glued", "cr", "glued and blank", "spaces"],
)
def test_separators_belong_to_no_record(data: bytes) -> None:
    block = only(data)
    assert block.data == record("a") + b"\n" + record("b") + b"\n"
    assert block.ids == ["a", "b"]


def test_white_space_inside_a_record_is_its_own() -> None:
    spaced = b'{ "custom_id" :\t"a", \r"result": {"type": "expired"} }'
    assert only(spaced + b"\n").data == spaced + b"\n"


def test_nothing_gives_nothing() -> None:
    assert read(b"") == (None, [])
    assert read(b"\r\n\n") == (None, [])


ODD = {
    "keys in another order": b'{"result":{"message":{"usage":{}},"type":"succeeded"},"custom_id":"a"}',
    "unknown type": b'{"custom_id":"a","result":{"type":"paused","why":[1]},"more":{}}',
    "escaped keys": b'{"\\u0063ustom_id":"\\u0061","result":{"type":"expired"}}',
    "usage of odd types": record(usage={"input_tokens": "10", "output_tokens": 1.5}),
    "usage is a list": record(usage=[]),
    "model is null": record(model=None),
    "error is a string": b'{"custom_id":"a","result":{"type":"errored","error":"boom"}}',
    "lone surrogate": b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":"\\ud800"}}}',
    "lone surrogate, odd usage": b'{"custom_id":"a","result":{"type":"x","message":{"content":"\\ud800","usage":1}}}',
    "lone surrogate, 5,000 digits": b'{"custom_id":"a","result":{"type":"x"},"s":"\\udc00","n":' + b"7" * 5000 + b"}",
    "NaN and Infinity": b'{"custom_id":"a","result":{"type":"x"},"n":[NaN,-Infinity,1e999]}',
    "5,000 digits": b'{"custom_id":"a","result":{"type":"x"},"n":' + b"7" * 5000 + b"}",
    "invalid UTF-8 in a text": b'{"custom_id":"a","result":{"type":"x"},"t":"\xff"}',
    "line separators in a text": '{"custom_id":"a","result":{"type":"x"},"t":"\u2028\u0085"}'.encode(),
    "900 levels": b'{"custom_id":"a","result":{"type":"x"},"d":' + b"[" * 900 + b"]" * 900 + b"}",
    "same key twice": b'{"custom_id":"z","custom_id":"a","result":{"type":"x"}}',
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_record_is_a_record(name: str) -> None:
    raw = ODD[name]
    block = only(record("before") + b"\n" + raw + b"\n" + record("after") + b"\n")
    assert block.ids == ["before", "a", "after"]
    assert block.data.split(b"\n")[1] == raw


def test_a_lone_surrogate_does_not_cost_the_usage() -> None:
    block = only(record(content="\ud800") + b"\n")
    message = block.results[0].message
    assert message is not None
    assert message.usage is not None
    assert message.usage.output_tokens == 20


BAD = {
    "no custom_id": (b'{"result":{"type":"x"}}', "custom_id"),
    "custom_id is a number": (b'{"custom_id":1,"result":{"type":"x"}}', "custom_id"),
    "custom_id is null": (b'{"custom_id":null,"result":{"type":"x"}}', "custom_id"),
    "custom_id is a lone surrogate": (b'{"custom_id":"\\ud800","result":{"type":"x"}}', "surrogate"),
    "custom_id is not UTF-8": (b'{"custom_id":"\xff","result":{"type":"x"}}', "utf-8"),
    "no result": (b'{"custom_id":"a"}', "result"),
    "no type": (b'{"custom_id":"a","result":{}}', "type"),
    "a list": (b"[1]", "array"),
    "not JSON": (b"<html>busy</html>", "Expecting value"),
    "a control character": (b'{"custom_id":"a","result":{"type":"x"},"t":"\x01"}', "control character"),
    "a comma after it": (record("a") + b",", "Extra data"),
    "100,000 levels": (b'{"custom_id":"a","result":{"type":"x"},"d":' + b"[" * 100_000, "nested too deeply"),
    "a BOM in the middle": (b"\xef\xbb\xbf" + record("a"), "BOM"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_record_is_a_reject(name: str) -> None:
    raw, reason = BAD[name]
    before = record("before") + b"\r\n\n "
    block, [reject] = read_lines("batch", Lines(1000, before + raw + b" \n" + record("after") + b"\n"))
    assert block is not None
    assert block.ids == ["before", "after"]
    assert (reject.offset, reject.size, reject.raw) == (1000 + len(before), len(raw), raw)
    assert reason in reject.reason
    assert reject.terminated


def test_a_big_reject_costs_no_more_memory_than_its_bytes() -> None:
    raw = b"[" + b"1," * 1_000_000 + b"1]"
    tracemalloc.start()
    try:
        reject = rejected(raw + b"\n")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reject.size == len(raw)
    assert peak < 5 * len(raw)


def test_a_bad_object_between_good_ones_without_newlines() -> None:
    block, [reject] = read(record("a") + b'{"custom_id":1}' + record("b") + b"\n")
    assert block is not None
    assert block.data == record("a") + b"\n" + record("b") + b"\n"
    assert (reject.offset, reject.raw) == (len(record("a")), b'{"custom_id":1}')


@pytest.mark.parametrize("length", range(1, len(record("b"))))
def test_a_record_cut_by_the_end_of_the_body_is_told_from_a_bad_one(length: int) -> None:
    for glue in (b"\n", b""):
        body = b"nonsense\n" + record("a") + glue + record("b")[:length]
        framer = Framer()
        rejects: list[Reject] = []
        for lines in framer.feed(body) + framer.close():
            assert isinstance(lines, Lines)
            rejects += read_lines("batch", lines)[1]
        if glue:
            assert [reject.terminated for reject in rejects] == [True, False]
            assert rejects[1].raw == record("b")[:length].rstrip()
        else:
            assert not rejects[-1].terminated


def test_a_last_record_without_newline_is_no_cut_one() -> None:
    block, rejects = read_lines("batch", Lines(0, b"nonsense\n" + record("a"), terminated=False))
    assert block is not None
    assert block.data == record("a") + b"\n"
    assert [reject.terminated for reject in rejects] == [True]


def test_records_are_views_in_order() -> None:
    block = only(record("a") + b"\n" + record("b", "canceled") + b"\n")
    assert [(r.batch_id, r.custom_id, r.type, r.raw) for r in block.records()] == [
        ("batch", "a", "succeeded", record("a")),
        ("batch", "b", "canceled", record("b", "canceled")),
    ]
    assert [r.result.type for r in block.records()] == ["succeeded", "canceled"]


def test_picking_records() -> None:
    lines = [record(name) + b"\n" for name in "abcd"]
    block = only(b"".join(lines))
    assert block.pick([True] * 4) is block
    some = block.pick([True, False, False, True])
    assert (len(some), some.size, some.data) == (2, len(some.data), lines[0] + lines[3])
    assert some.ids == ["a", "d"]
    none = block.pick([False] * 4)
    assert (len(none), none.data, list(none.records())) == (0, b"", [])


JUNK = st.sampled_from([b"{", b"}", b"}{", b'"', b"\\", b'\\"', b"[]", b"null", b"x", b"\xff", b"{}"])
PIECE = st.one_of(
    st.builds(record, st.text(max_size=8).filter(lambda s: s.isprintable()), st.sampled_from(["expired", "succeeded"])),
    st.sampled_from(list(ODD.values())[:7]),
    st.lists(JUNK, min_size=1, max_size=4).map(b"".join),
)
SEPARATOR = st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n\t", b"\r", b"", b" "])


@given(st.lists(st.tuples(PIECE, SEPARATOR), max_size=8))
def test_no_byte_is_lost_and_order_is_kept(body: list[tuple[bytes, bytes]]) -> None:
    data = b"".join(piece + separator for piece, separator in body)
    block, rejects = read(data)
    raws = [(reject.offset, reject.raw) for reject in rejects]
    left = bytearray(data)
    for offset, raw in raws:
        assert data[offset : offset + len(raw)] == raw
        left[offset : offset + len(raw)] = b" " * len(raw)
    lines = block.data.split(b"\n")[:-1] if block else []
    assert len(lines) == (len(block) if block else 0)
    place = 0
    for line in lines:
        place = left.index(line, place)
        left[place : place + len(line)] = b" " * len(line)
    assert not left.strip()
