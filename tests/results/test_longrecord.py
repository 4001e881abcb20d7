"""A record too long to be held: its head is read as it passes, whatever a model may have written into it."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from typing import Any

import ijson
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.results.longrecord import LONGEST_STRING, LongRecordReader, _Squeezer
from streamer.results.record import Head, read_head

USAGE = {
    "input_tokens": 10,
    "output_tokens": 20,
    "service_tier": "batch",
    "server_tool_use": {"web_search_requests": 2},
}


def record(**message: Any) -> bytes:
    message = {"id": "msg_1", "model": "claude-x", "content": []} | message | {"usage": USAGE}
    return json.dumps({"custom_id": "a", "result": {"type": "succeeded", "message": message}}).encode()


def read(raw: bytes, size: int = 1 << 20) -> tuple[Head | None, str]:
    reader = LongRecordReader()
    for start in range(0, len(raw), size):
        reader.feed(raw[start : start + size])
    return reader.close()


RECORDS = {
    "plain": record(),
    "a long text": record(content=[{"type": "text", "text": 'x"}{\\ \n é 😀' * 3000}]),
    "escapes at every place": record(content=[{"type": "text", "text": '\\"' * n} for n in range(1500, 2500, 250)]),
    "string of the longest kept length": record(content=["x" * LONGEST_STRING, "x" * (LONGEST_STRING + 1)]),
    "tool input": record(content=[{"type": "tool_use", "input": {"custom_id": 1, "usage": {"input_tokens": 7}}}]),
    "nested lists and maps": record(content=[[{"a": [[], {}, [{"custom_id": "z"}]]}], {"type": "z"}]),
    "much structure": record(content=[{"type": "tool_use", "id": f"t{n}", "é": {"n": n}} for n in range(400)]),
    "much structure, and 20 digits": record(content=[{"id": f"t{n}", "input": {"n": 10**20}} for n in range(400)]),
    "much structure, and emoji": record(content=[{"id": f"😀{n}", "input": {"n": n}} for n in range(400)]),
    "20 digits": record(content=[{"input": {"n": 12345678901234567890, "m": [-(10**30), 1.5e10, -0.25]}}]),
    "errored": b'{"custom_id":"a","result":{"type":"errored","error":{"type":"error","error":{"type":"api_error"}}}}',
    "keys in another order": b'{"result":{"message":{"usage":{"input_tokens":1}},"type":"x"},"custom_id":"a"}',
    "unknown type and keys": b'{"custom_id":"a","result":{"type":"paused","why":[1,{"type":"z"}]},"custom":{"a":null}}',
    "usage of odd types": record().replace(b'"input_tokens": 10', b'"input_tokens": "10"'),
    "usage is a list": record().replace(b'"usage": {', b'"usage": [], "use": {'),
    "message is null": b'{"custom_id":"a","result":{"type":"expired","message":null,"error":[{"error":{"type":1}}]}}',
    "escapes in the custom_id": b'{"custom_id":"\\u00e9\\ud83d\\ude00\\"\\\\","result":{"type":"x"}}',
    "UTF-8 in the custom_id": '{"custom_id":"é😀","result":{"type":"x"}}'.encode(),
    "digits in the custom_id": b'{"custom_id":"%s","result":{"type":"x"}}' % (b"7" * 100),
    "white space around": b"  " + record() + b" \t",
    "same key twice": b'{"custom_id":"z","custom_id":"a","result":{"type":"y"},"result":{"type":"x"}}',
    "exponents": b'{"custom_id":"a","result":{"type":"x"},"n":[1e400,-1E-400,1e+0009,0.5e3]}',
    "5,000 digits": b'{"custom_id":"a","result":{"type":"x"},"n":[-%s,1.%s]}' % (b"7" * 5000, b"3" * 5000),
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("size", [1, 17, 4999, 1 << 20])
def test_the_head_is_what_a_whole_decode_gives(name: str, size: int) -> None:
    raw = RECORDS[name]
    assert read(raw, size) == (read_head(raw), "")


@pytest.mark.parametrize("more", [b"", b'"m":"m",' * 1000])
@pytest.mark.parametrize("odd", [b'"n":[NaN,-Infinity,Infinity],"z":""', b'"t":"\\ud800"', b'"u":"\xff"'])
def test_what_only_python_writes_is_read_too(odd: bytes, more: bytes) -> None:
    raw = b'{%s"custom_id":"a","result":{"type":"x"},%s}' % (more, odd)
    for size in (1, 20_000):
        head, reason = read(raw, size)
        assert head is not None, reason
        assert head.custom_id == "a"


def test_custom_id_and_nothing_else_is_known_early() -> None:
    reader = LongRecordReader()
    reader.feed(b'{"custom_id":"a')
    assert reader.custom_id is None
    reader.feed(b'","result":{"type":"succeeded","message":{"content":[{"text":"')
    assert reader.custom_id == "a"


BAD = {
    "cut": (record()[:-1], "premature EOF"),
    "cut in a string": (record()[:20], "premature EOF"),
    "nothing": (b"", "premature EOF"),
    "two objects": (record() + b" " + record(), "trailing garbage"),
    "not JSON": (b"<html>", "invalid char"),
    "not JSON at all": (b"\xff\xfe", "invalid char"),
    "a word without end": (b'{"custom_id":' + b"x" * 10_000, "invalid char"),
    "no custom_id": (b'{"result":{"type":"x"}}', "custom_id"),
    "custom_id is a number": (b'{"custom_id":1,"result":{"type":"x"}}', "custom_id"),
    "custom_id is an object": (b'{"custom_id":{"a":1},"result":{"type":"x"}}', "custom_id"),
    "custom_id is too long": (b'{"custom_id":"%s","result":{"type":"x"}}' % (b"x" * 5000), "more than 4,096 bytes"),
    "custom_id is a lone surrogate": (b'{"custom_id":"\\ud800","result":{"type":"x"}}', "empty custom_id"),
    "custom_id is a lone surrogate after much": (
        b'{%s"custom_id":"\\ud800","result":{"type":"x"}}' % (b'"m":"m",' * 1000),
        "empty custom_id",
    ),
    "no type": (b'{"custom_id":"a","result":{}}', "type"),
    "a list": (b"[" + record() + b"]", "array"),
    "a number": (b"12", "int"),
    "a control character": (b'{"custom_id":"a","result":{"type":"x"},"t":"\x01"}', "invalid character"),
    "100,000 levels": (b'{"custom_id":"a","result":{"type":"x"},"d":' + b"[" * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_what_is_no_record_says_why(name: str, size: int) -> None:
    raw, reason = BAD[name]
    head, why = read(raw, size)
    assert head is None
    assert reason in why
    assert "\n" not in why
    assert len(why) < 150


def test_a_number_that_runs_into_a_string_is_no_json_wherever_it_was_cut() -> None:
    reader = LongRecordReader()
    reader.feed(b'{"custom_id":"a","result":{"type":"x"},"n":[1')
    reader.feed(b'"a",' * 2000 + b"1]}")
    assert reader.close()[0] is None


def test_a_word_without_end_is_not_held() -> None:
    reader = LongRecordReader()
    reader.feed(b'{"custom_id":')
    tracemalloc.start()
    try:
        for _ in range(100):
            reader.feed(b"x" * 10_000)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 100_000


@pytest.mark.parametrize("bomb", ["'7' * 5000", "'7' * 2_000_000", "'[' * 200_000", "'{\"a\":' * 200_000"])
def test_model_written_bombs_leave_the_process_alive(bomb: str) -> None:
    # yajl ends the process at an integer of more than 4,300 digits, so this must not run in the process of the tests.
    code = f"""
import tracemalloc
from streamer.results.longrecord import LongRecordReader
tracemalloc.start()
reader = LongRecordReader()
raw = ('{{"custom_id":"a","result":{{"type":"x","message":{{"usage":{{"input_tokens":' + {bomb} + '}}}}}}}}').encode()
base = tracemalloc.get_traced_memory()[0]
tracemalloc.reset_peak()
reader.feed(raw)
print(reader.custom_id, *reader.close(), tracemalloc.get_traced_memory()[1] - base < 10_000_000)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("a ")
    assert done.stdout.endswith(" True\n")
    assert ("nested too deeply" in done.stdout) == ("7" not in bomb)


def test_the_work_and_the_memory_do_not_grow_with_a_string(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    basic_parse = ijson.basic_parse_coro

    def counted(*args: Any, **options: Any) -> Any:
        parser = basic_parse(*args, **options)

        class Counted:
            close = parser.close

            def send(self, data: bytes) -> None:
                parsed.append(len(data))
                parser.send(data)

        return Counted()

    monkeypatch.setattr(ijson, "basic_parse_coro", counted)
    start, _, end = record(content=[{"type": "text", "text": "MIDDLE"}]).partition(b"MIDDLE")
    part = b'a line of text, \\"quoted\\"\\n' * 10_000
    reader = LongRecordReader()
    reader.feed(start)
    tracemalloc.start()
    try:
        for _ in range(50):
            reader.feed(part)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    reader.feed(end)
    assert reader.close() == (read_head(record()), "")
    assert sum(parsed) < len(start + end) + 10  # yajl never sees the 14 MB
    assert peak < 8 * len(part)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


@given(JSON, st.integers(1, 40), st.booleans())
def test_squeezed_json_is_the_same_json_when_nothing_is_long(value: Any, size: int, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    squeezer = _Squeezer()
    squeezed = b"".join(squeezer.squeeze(raw[i : i + size]) for i in range(0, len(raw), size)) + squeezer.rest()
    short = not any(len(run) > 18 for run in "".join(c if c.isdigit() else " " for c in raw.decode("latin1")).split())
    if short and b"e" not in raw.replace(b"true", b"").replace(b"false", b""):
        assert squeezed == raw
    assert msgspec.json.decode(squeezed) is not None or value is None


@given(JSON, st.integers(1, 50))
def test_any_record_in_any_parts_gives_its_head(value: Any, size: int) -> None:
    for raw in (record(content=value), json.dumps({"more": value, "custom_id": "a", "result": {"type": "x"}}).encode()):
        assert read(raw, size) == (read_head(raw), "")


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=6))
def test_much_structure_in_any_parts_passes_as_it_is(sizes: list[int]) -> None:
    raw = record(content=[{"type": "text", "text": f'"{n}" \\ ', "n": [n, {}]} for n in range(300)])
    squeezer = _Squeezer()
    squeezed, start = b"", 0
    for size in [*sizes, len(raw)]:
        squeezed += squeezer.squeeze(raw[start : start + size])
        start += size
    assert squeezed + squeezer.rest() == raw
