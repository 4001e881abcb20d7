"""What came, counted, and what it proves."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.api.types import RequestCounts
from streamer.results.accounting import Tally, Tokens, verify
from streamer.results.record import Head

DECODE = msgspec.json.Decoder(Head).decode


def head(custom_id: str, kind: str = "succeeded") -> Head:
    return DECODE(f'{{"custom_id":"{custom_id}","result":{{"type":"{kind}"}}}}')


def with_usage(custom_id: str, model: str, **usage: object) -> Head:
    message = {"model": model, "usage": usage}
    return DECODE(
        msgspec.json.encode({"custom_id": custom_id, "result": {"type": "succeeded", "message": message}}),
    )


def add(tally: Tally, *heads: Head) -> list[bool] | None:
    return tally.add([head.custom_id for head in heads], [head.result for head in heads])


def test_new_records_are_all_new_and_counted_by_type() -> None:
    tally = Tally()
    assert add(tally, head("a"), head("b", "errored"), head("c")) is None
    assert (len(tally), dict(tally.types), tally.duplicates) == (3, {"succeeded": 2, "errored": 1}, 0)


def test_a_duplicate_in_one_download_is_counted_once_and_named_a_duplicate() -> None:
    tally = Tally()
    assert add(tally, head("a"), head("b"), head("a")) == [True, True, False]
    assert add(tally, head("b")) == [False]
    assert (len(tally), tally.duplicates) == (2, 2)


def test_records_of_a_second_download_are_no_duplicates_but_its_own_doubles_are() -> None:
    tally = Tally()
    add(tally, head("a"), head("b"))
    tally.begin_pass()
    assert add(tally, head("b"), head("c"), head("c"), head("a")) == [False, True, False, False]
    assert (len(tally), tally.duplicates) == (3, 1)


@given(st.lists(st.lists(st.lists(st.integers(0, 20), max_size=8), max_size=5), max_size=4))
def test_whatever_the_order_each_id_is_new_exactly_once(downloads: list[list[list[int]]]) -> None:
    tally, new = Tally(), []
    doubles = 0
    for download in downloads:
        tally.begin_pass()
        for block in download:
            fresh = add(tally, *[head(str(n)) for n in block]) or [True] * len(block)
            if tally.ids:
                new += [n for n, is_new in zip(block, fresh, strict=True) if is_new]
        records = [n for block in download for n in block]
        doubles = len(records) - len(set(records))
        assert tally.duplicates == doubles
    assert sorted(new) == sorted({n for download in downloads for block in download for n in block})
    assert sum(tally.types.values()) == len(tally) == len(new)


def test_types_with_what_is_held_count_each_id_once() -> None:
    held, tally = Tally(), Tally()
    add(held, head("a"), head("b", "errored"))
    add(tally, head("b", "errored"), head("c"))
    assert dict(tally.types_with(held)) == {"succeeded": 2, "errored": 1}


def test_tokens_are_summed_by_model_with_cache_writes_by_lifetime() -> None:
    tally = Tally()
    add(
        tally,
        *[
            with_usage("a", "opus", input_tokens=10, output_tokens=5),
            with_usage(
                "b",
                "opus",
                input_tokens=1,
                output_tokens=2,
                cache_creation_input_tokens=300,
                cache_read_input_tokens=40,
                cache_creation={"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
                output_tokens_details={"thinking_tokens": 2},
                server_tool_use={"web_search_requests": 3},
            ),
            with_usage("c", "haiku", input_tokens=7, output_tokens=0, cache_creation_input_tokens=9),
        ],
    )
    assert tally.usage["opus"] == Tokens(
        requests=2,
        input=11,
        output=7,
        cache_write_5m=100,
        cache_write_1h=200,
        cache_read=40,
        thinking=2,
        web_searches=3,
    )
    assert tally.usage["haiku"] == Tokens(requests=1, input=7, cache_write_5m=9)


def test_tokens_at_another_price_are_summed_apart() -> None:
    tally = Tally()
    long = {"input_tokens": 1, "cache_read_input_tokens": 60_000, "cache_creation_input_tokens": 40_000}
    add(tally, with_usage("a", "haiku", input_tokens=100_000), with_usage("b", "haiku", **long))
    add(tally, with_usage("c", "haiku", input_tokens=3, inference_geo="us"))
    add(tally, with_usage("d", "haiku", **long, inference_geo="us"), with_usage("e", "haiku", inference_geo="global"))
    assert {name: (tokens.requests, tokens.input) for name, tokens in tally.usage.items()} == {
        "haiku": (2, 100_000),
        "haiku;long": (1, 1),
        "haiku;geo=us": (1, 3),
        "haiku;geo=us;long": (1, 1),
    }


def test_a_record_that_comes_twice_is_paid_for_once() -> None:
    tally = Tally()
    add(tally, with_usage("a", "opus", input_tokens=10, output_tokens=5))
    tally.begin_pass()
    add(tally, with_usage("a", "opus", input_tokens=10, output_tokens=5))
    assert tally.usage["opus"].input == 10


def test_errored_records_are_counted_by_the_apis_error_type() -> None:
    tally = Tally()
    add(
        tally,
        DECODE(b'{"custom_id":"a","result":{"type":"errored","error":{"type":"error","error":{"type":"api_error"}}}}'),
    )
    assert dict(tally.errors) == {"api_error": 1}


COUNTS = RequestCounts(succeeded=8, errored=1, expired=1)


@pytest.mark.parametrize(
    ("types", "complete", "text"),
    [
        ({"succeeded": 8, "errored": 1, "expired": 1}, True, "all 10 records"),
        ({"succeeded": 7, "errored": 1, "expired": 1}, False, "got 9 of 10 records (1 succeeded missing)"),
        ({"succeeded": 9, "errored": 1, "expired": 1}, False, "got 11 of 10 records (1 succeeded too many)"),
        ({"succeeded": 9, "expired": 1}, False, "got 10 of 10 records (1 errored missing, 1 succeeded too many)"),
        ({}, False, "got 0 of 10 records (8 succeeded missing, 1 errored missing, 1 expired missing)"),
        # a type that is not known here: it has no count of its own, or stands in one that has another name
        ({"succeeded": 8, "errored": 1, "expired": 1, "paused": 2}, True, "all 12 records"),
        ({"succeeded": 8, "errored": 1, "paused": 1}, True, "all 10 records"),
        ({"succeeded": 7, "paused": 1}, False, None),
    ],
)
def test_the_counts_type_by_type_are_the_proof(types: dict[str, int], complete: bool, text: str | None) -> None:
    verdict = verify(COUNTS, types)
    assert verdict.complete is complete
    assert text is None or str(verdict) == text


def test_an_empty_batch_is_complete_with_no_records() -> None:
    assert verify(RequestCounts(), {}).complete


def test_a_batch_that_still_has_requests_in_processing_is_not_complete() -> None:
    assert not verify(RequestCounts(succeeded=1, processing=2), {"succeeded": 1}).complete


def test_only_the_wanted_types_are_held_against_their_counts() -> None:
    assert verify(COUNTS, {"succeeded": 8}, {"succeeded"}).complete
    assert not verify(COUNTS, {"succeeded": 7, "errored": 1}, {"succeeded"}).complete


def test_what_is_held_is_held_against_what_came() -> None:
    held, came = Tally(), Tally()
    held.remember({"a": "succeeded", "b": "errored", "c": "expired"})
    came.remember({"a": "succeeded", "b": "succeeded", "d": "expired"})
    assert came.strangers(held, whole=False) == ["b"]
    assert came.strangers(held, whole=True) == ["b", "c"]
