"""A JSON array as lines: each record in its place, however the array is written and cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.results.arraylines import ArrayLines, is_array

values = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('a"\\{}[],: \n\u00e9\ud83d'), max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text("ab{}", max_size=2), below, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text("abc", max_size=2), values, max_size=4)


def lines_of(text: bytes, cuts: list[int]) -> tuple[bytes, ArrayLines]:
    array = ArrayLines()
    begin = text.index(b"[") + 1
    places = sorted({0, len(text), *(begin + cut % (len(text) - begin + 1) for cut in cuts)})
    return b"".join(array.feed(text[start:end]) for start, end in pairwise(places)), array


@given(
    records=st.lists(objects, max_size=6),
    indent=st.sampled_from([None, 0, 2, "\t"]),
    between=st.sampled_from([",", " , ", ",\n", "\r\n,\r\n"]),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
    plain=st.booleans(),
)
def test_every_record_is_a_line_in_its_own_place(
    records: list[dict[str, Any]], indent: int | str | None, between: str, cuts: list[int], plain: bool
) -> None:
    texts = [json.dumps(one, indent=indent, ensure_ascii=plain).encode(errors="surrogatepass") for one in records]
    text = b"\n[ " + between.encode().join(texts) + b"\n] \n"
    lines, array = lines_of(text, cuts)
    assert array.closed
    assert len(lines) == len(text)
    found = [line.strip(b" \r\t") for line in lines.split(b"\n")]
    assert [line for line in found if line] == [one.replace(b"\n", b" ") for one in texts]
    at = 0
    for one in texts:
        at = lines.index(one.replace(b"\n", b" "), at)
        assert text[at : at + len(one)] == one
        at += len(one)


@pytest.mark.parametrize("end", [b"", b'{"a":1}', b'{"a":1},', b'{"a":[{"b":', b'{"a":"]', b'{"a":1}, {"b":2}}'])
def test_an_array_that_does_not_end_is_not_closed(end: bytes) -> None:
    _, array = lines_of(b'[{"x":0},' + end, [3, 9, 12])
    assert array.closed is end.endswith(b"}}")  # one bracket too many closes it, however wrong


def test_what_comes_after_the_array_stays_and_is_a_line_of_its_own() -> None:
    lines, array = lines_of(b'[{"a":1}]{"b":2}\n[3]', [])
    assert array.closed
    assert lines.split(b"\n") == [b"", b'{"a":1}', b'{"b":2}', b"[3]"]


def test_what_an_array_begins_with() -> None:
    assert is_array(b"\xef\xbb\xbf \n[")
    assert not is_array(b'{"custom_id":"[')
    assert not is_array(b"")
