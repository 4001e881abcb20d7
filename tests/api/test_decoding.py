"""What a server may claim: decided at the door, whoever asks."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.api import decoding
from streamer.api.decoding import NotDecodableError
from streamer.api.origin import BATCH_ID
from streamer.api.types import Batch, BatchPage, RequestCounts
from streamer.errors import GatewayError
from tests.api.servers import Server, batch, reply, targets
from tests.api.test_client import client_of

COUNTS = {"processing": 0, "succeeded": 4, "errored": 0, "canceled": 0, "expired": 0}


def ended(batch_id: str = "msgbatch_1", **fields: Any) -> dict[str, Any]:
    return batch(batch_id, processing_status="ended", request_counts=COUNTS, **fields)


def decoded(answer: object) -> Batch:
    return decoding.batch().decode(json.dumps(answer).encode())


def page(*items: object, **fields: Any) -> BatchPage:
    return decoding.PAGE.decode(json.dumps({"data": items, "has_more": False, **fields}).encode())


def without(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in names}


@pytest.mark.parametrize("text", ["2026-11-27T10:00:00", "2026-11-27T10:00:00Z", "2026-11-27T11:00:00+01:00"])
def test_a_time_without_a_zone_is_utc(text: str) -> None:
    assert decoded(ended(created_at=text)).created_at == datetime(2026, 11, 27, 10, tzinfo=UTC)


def test_a_batch_that_is_made_here_has_zones_too() -> None:
    assert Batch("b", "ended", created_at=datetime(2026, 1, 1)).created_at == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001


@pytest.mark.parametrize("text", ["", "soon", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 5, True, [], {}])
@pytest.mark.parametrize("name", ["created_at", "expires_at", "ended_at", "archived_at", "cancel_initiated_at"])
def test_what_is_no_time_of_this_age_is_refused_with_its_name(name: str, text: object) -> None:
    with pytest.raises(NotDecodableError, match=name):
        decoded({**ended(), name: text})


@pytest.mark.parametrize("counts", [None, {}, dict.fromkeys(COUNTS, 0)])
def test_counts_of_nothing_are_no_counts(counts: object) -> None:
    found = decoded({**ended(), "request_counts": counts})
    assert (found.request_counts, found.requests) == (None, None)


def test_counts_that_are_missing_are_none_and_those_that_are_named_in_part_count() -> None:
    assert decoded(without(ended(), "request_counts")).request_counts is None
    assert decoded({**ended(), "request_counts": {"succeeded": 4}}).request_counts == RequestCounts(succeeded=4)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"succeeded": 10**18}, "more than the 100,000"),
        ({"succeeded": 10**30}, "more than the 100,000"),
        ({"succeeded": 60_000, "errored": 40_001}, "more than the 100,000"),
        ({"succeeded": -1}, "less than 0"),
        ({"succeeded": 5, "errored": -5}, "less than 0"),
        ({"succeeded": 1.5}, "succeeded"),
        ({"succeeded": "4"}, "succeeded"),
        ({"succeeded": None}, "succeeded"),
        ([4], "request_counts"),
        (4, "request_counts"),
    ],
)
def test_counts_that_cannot_be_are_refused_with_the_reason(counts: object, says: str) -> None:
    with pytest.raises(NotDecodableError, match=says):
        decoded({**ended(), "request_counts": counts})


@pytest.mark.parametrize("name", ["", " ", "../../etc/passwd", "a/b", "a?b", "ü", "a\nb", "x" * 65, None, 5, ["a"]])
def test_an_id_that_cannot_be_one_is_refused(name: object) -> None:
    with pytest.raises(NotDecodableError, match="id"):
        decoded({**ended(), "id": name})


def test_no_results_url_is_none_however_it_is_said() -> None:
    assert [decoded(ended(results_url=url)).results_url for url in ("", None)] == [None, None]
    assert decoded(without(ended(), "results_url")).results_url is None
    with pytest.raises(NotDecodableError, match="results_url"):
        decoded(ended(results_url=["https://example.com"]))


def test_an_answer_about_another_batch_is_no_answer() -> None:
    with pytest.raises(NotDecodableError, match="it is about msgbatch_2"):
        decoding.batch("msgbatch_1").decode(json.dumps(ended("msgbatch_2")).encode())


def test_one_item_that_cannot_be_read_costs_only_itself() -> None:
    found = page(
        ended("msgbatch_a"),
        ended("msgbatch_time", created_at=""),
        {"id": "msgbatch_bare"},
        "nonsense",
        None,
        {"id": "../x"},
        without(ended("msgbatch_nocounts"), "request_counts"),
        ended("msgbatch_b"),
    )
    assert [one.id for one in found.data] == ["msgbatch_a", "msgbatch_nocounts", "msgbatch_b"]
    assert [item.id for item in found.undecodable] == ["msgbatch_time", "msgbatch_bare", "", "", ""]
    assert all(item.reason for item in found.undecodable)


def test_a_batch_that_is_listed_twice_is_listed_once() -> None:
    found = page(ended("msgbatch_a"), ended("msgbatch_b"), batch("msgbatch_a"))
    assert [(one.id, one.ended) for one in found.data] == [("msgbatch_a", True), ("msgbatch_b", True)]


@pytest.mark.parametrize("last", [None, "msgbatch_x", "../x"])
def test_more_of_nothing_is_nothing(last: str | None) -> None:
    assert not page(has_more=True, last_id=last).has_more


def test_a_page_that_does_not_say_where_it_ends_ends_with_its_last_batch() -> None:
    found = page(ended("msgbatch_a"), ended("msgbatch_b"), has_more=True)
    assert (found.has_more, found.last_id) == (True, "msgbatch_b")
    assert not page("nonsense", has_more=True).has_more


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"null", b'{"data":5}', b'{"data":null}', b"{}", b"[" * 100_000])
def test_json_that_is_no_page_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decoding.PAGE.decode(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("2026-01-01T00:00:00"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["id", "processing_status", "request_counts", "created_at", "ended_at", "archived_at", "results_url"]


@given(
    changes=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
    counts=st.dictionaries(st.sampled_from([*COUNTS]), JSON),
)
def test_whatever_stands_in_a_field_what_comes_through_the_door_can_be_relied_on(
    changes: dict[str, Any], counts: dict[str, Any]
) -> None:
    answer = {**ended(), "request_counts": counts, **changes}
    try:
        found = decoded(answer)
    except NotDecodableError:
        return
    assert BATCH_ID.fullmatch(found.id)
    assert found.requests is None or 1 <= found.requests <= 100_000
    assert found.results_url != ""
    times = [found.created_at, found.ended_at, found.archived_at]
    assert all(time.tzinfo is not None and math.isfinite(time.timestamp()) for time in times if time is not None)


async def test_the_client_says_why_it_cannot_read_an_answer() -> None:
    huge = {**ended(), "request_counts": {"succeeded": 10**18}}
    async with Server([reply(200, huge)]) as server, client_of(server) as client:
        with pytest.raises(GatewayError, match=r"not a Batch \(its request_counts add up to more than") as caught:
            await client.retrieve("msgbatch_1")
    assert "100,000" in caught.value.detail


async def test_a_list_passes_over_what_cannot_be_read_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    listed = {"data": [ended("msgbatch_a"), ended("msgbatch_odd", created_at="")], "has_more": False}
    async with Server([reply(200, listed)]) as server, client_of(server) as client:
        for _ in range(2):
            assert [found.id async for found in client.list()] == ["msgbatch_a"]
        assert caplog.text.count("msgbatch_odd") == 1
        with pytest.raises(GatewayError, match="msgbatch_odd cannot be read as a batch"):
            [found async for found in client.list(strict=True)]


async def test_an_empty_page_with_more_ends_the_list() -> None:
    empty = {"data": [], "has_more": True, "first_id": None, "last_id": None}
    async with Server([reply(200, empty)]) as server, client_of(server) as client:
        assert [found async for found in client.list()] == []
    assert len(list(targets(server))) == 1
