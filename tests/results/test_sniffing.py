"""Ids and types from the first bytes of each record: the same as a parse says, or nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.results.block import read_lines
from streamer.results.framing import Lines
from streamer.results.record import HEAD
from streamer.results.sniffing import sniff

USUAL = (
    b'{"custom_id":"a-1","result":{"type":"succeeded","message":{"model":"m","content":[]}}}\n'
    b'{"custom_id":"b_2","result":{"type":"errored","error":{"type":"error","error":{"type":"api_error"}}}}\n'
    b'{"custom_id":"c3","result":{"type":"canceled"}}\n'
    b'{"custom_id":"' + b"d" * 64 + b'","result":{"type":"expired"}}\n'
)

ids = st.text(st.characters(codec="ascii", categories=["L", "Nd"], include_characters="-_"), min_size=1, max_size=64)
odd_ids = st.text(min_size=0, max_size=70)
results = st.one_of(
    st.fixed_dictionaries({"type": st.just("succeeded"), "message": st.dictionaries(st.text(), st.text())}),
    st.just({"type": "errored", "error": {"type": "error", "error": {"type": "overloaded_error"}}}),
    st.fixed_dictionaries({"type": st.sampled_from(["canceled", "expired", "succeeded", "errored", "paused"])}),
    st.fixed_dictionaries({"type": st.text(), "other": st.text()}),
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A record as anybody might write it: usual, with spaces, in another order, in characters of all kinds."""
    record = {"custom_id": draw(st.one_of(ids, odd_ids)), "result": draw(results)}
    if draw(st.booleans()):
        record = dict(reversed(record.items()))
    separators = draw(st.sampled_from([(",", ":"), (",", ":"), (", ", ": ")]))
    return json.dumps(record, separators=separators, ensure_ascii=draw(st.booleans())).encode() + b"\n"


def test_records_of_every_type_known_in_the_usual_shape_are_sniffed() -> None:
    sniffed = sniff(USUAL)
    assert sniffed is not None
    assert sniffed[0] == ["a-1", "b_2", "c3", "d" * 64]
    assert [result.type for result in sniffed[1]] == ["succeeded", "errored", "canceled", "expired"]
    [failed] = [result.error for result in sniffed[1] if result.error is not None]
    assert failed.error is not None
    assert failed.error.type == "api_error"


@pytest.mark.parametrize(
    "rest", ['"succeeded","message":{"id":"msg_1"}', '"errored","error":{"type":"error"}', '"canceled"']
)
@pytest.mark.parametrize("length", [1, 53, 54, 63, 64])
def test_ids_of_any_length_that_the_api_takes_are_sniffed(length: int, rest: str) -> None:
    line = f'{{"custom_id":"{"d" * length}","result":{{"type":{rest}}}}}\n'.encode()
    sniffed = sniff(line * 2)
    assert sniffed is not None
    assert sniffed[0] == ["d" * length] * 2
    assert sniff(line + b"x" + line) is None


@given(st.lists(lines(), min_size=1, max_size=6).map(b"".join))
def test_what_is_sniffed_is_what_a_parse_finds(data: bytes) -> None:
    sniffed = sniff(data)
    if sniffed is not None:
        heads = [HEAD.decode(line) for line in data.splitlines()]
        assert sniffed[0] == [head.custom_id for head in heads]
        assert [result.type for result in sniffed[1]] == [head.result.type for head in heads]


@pytest.mark.parametrize(
    "line",
    [
        b'{"custom_id": "a","result":{"type":"expired"}}\n',  # a space
        b'{"result":{"type":"expired"},"custom_id":"a"}\n',  # another order
        b'{"custom_id":"\\u0061","result":{"type":"expired"}}\n',  # an escape
        b'{"custom_id":"' + b"a" * 65 + b'","result":{"type":"expired"}}\n',  # an id the API would refuse
        b'{"custom_id":"a","result":{"type":"paused"}}\n',  # a type of the future
        b'{"custom_id":"a","result":{"type":"succeeded"}}\n',  # a type without what it brings
        b'{"custom_id":"a","result":{"type":"expired","more":1}}\n',  # more than it has today
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":[]}\n',  # cut by two bytes
        b'{"custom_id":"a","result":{"type":"expired"}}\r\n',
        b' {"custom_id":"a","result":{"type":"expired"}}\n',
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":[{"te\n',  # cut
        b'{"custom_id":"a","result":{"type":"errored","error":{"type":"error","error":{"ty}}\n',  # damaged
        b'\0{"custom_id":"a","result":{"type":"expired"}}\n',
        b"\n",
    ],
)
def test_anything_else_is_left_to_the_parser(line: bytes) -> None:
    assert sniff(line) is None
    assert sniff(USUAL + line) is None
    assert sniff(line + USUAL) is None


def test_damage_further_inside_a_record_is_not_looked_for() -> None:
    # What the docstring says it cannot see: known, not wanted.
    line = USUAL[:60] + b"\0 damaged }}\n"
    sniffed = sniff(line)
    assert sniffed is not None
    assert sniffed[0] == ["a-1"]


def test_a_last_line_without_its_newline_is_always_parsed() -> None:
    cut = b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":{}}'
    block, [reject] = read_lines("b", Lines(0, cut, terminated=False), usage=False)
    assert block is None
    assert not reject.terminated


def test_without_usage_only_what_is_asked_for_is_known_of_a_record() -> None:
    line = b'{"custom_id":"a","result":{"type":"succeeded","message":{"model":"m","usage":{"input_tokens":5}}}}\n'
    counted, _ = read_lines("b", Lines(0, line))
    sniffed, _ = read_lines("b", Lines(0, line), usage=False)
    assert counted is not None
    assert sniffed is not None
    assert (counted.ids, counted.types, counted.data) == (sniffed.ids, sniffed.types, sniffed.data)
    assert counted.results[0].message is not None
    assert sniffed.results[0].message is None
    [record] = sniffed.records()
    assert record.result.message is not None
    assert record.result.message.model == "m"
