"""Advice on the prompt cache: told when it would help, and not told when it is used well or cannot help."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streamer.requests import advice
from streamer.requests.advice import Advice, Adviser
from streamer.requests.estimate import Estimator
from streamer.requests.prompt import Params
from tests.requests.samples import params

LONG = "The same long instructions. " * 300  # 8,400 bytes, 2,100 tokens
MARK = {"cache_control": {"type": "ephemeral"}}


def text(content: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": content, **more}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def advise(requests: list[dict[str, Any]]) -> list[Advice]:
    estimator, adviser = Estimator(), Adviser()
    for one in requests:
        decoded = msgspec.json.decode(json.dumps(one), type=Params)
        adviser.add(decoded, estimator.add(decoded, 0).text_bytes)
    return adviser.advice()


def test_a_long_system_prompt_that_all_share_should_be_marked() -> None:
    (told,) = advise([params(system=LONG, messages=[user(f"question {n}")]) for n in range(100)])
    assert told == Advice("unmarked", "claude-haiku-5-5", 100, 100, 99 * 2100, 2100, 0)
    assert str(told) == (
        "100 of 100 requests to claude-haiku-5-5 begin like another one and carry no cache_control: with one at the "
        "end of what is alike, about 207,900 input tokens could be read from the cache"
    )


def test_so_should_tools_and_the_first_blocks_of_a_message() -> None:
    tools = [{"name": "t", "description": LONG, "input_schema": {"type": "object"}}]
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": LONG}}
    for shared in (
        [params(tools=tools, messages=[user(str(n))]) for n in range(10)],
        [params(messages=[user([document, text(str(n))])]) for n in range(10)],
        [params(system=[text(LONG), text(str(n))]) for n in range(10)],
    ):
        (told,) = advise(shared)
        assert (told.kind, told.requests, told.of) == ("unmarked", 10, 10)
        assert 9 * 2100 <= told.readable_tokens < 9 * 2200


def test_a_prompt_that_is_marked_where_it_is_alike_needs_no_advice() -> None:
    assert advise([params(system=[text(LONG, **MARK)], messages=[user(str(n))]) for n in range(100)]) == []
    blocks = [params(messages=[user([text(LONG, **MARK), text(str(n))])]) for n in range(100)]
    assert advise(blocks) == []
    conversation = [user("x"), {"role": "assistant", "content": [text(LONG, **MARK)]}]
    assert advise([params(messages=conversation) for _ in range(10)]) == []
    assert advise([params(system=LONG, cache_control={"type": "ephemeral"}) for _ in range(10)]) == []


def test_a_mark_on_what_differs_is_told_with_what_could_be_read() -> None:
    (told,) = advise([params(system=LONG, messages=[user([text(LONG + str(n), **MARK)])]) for n in range(100)])
    assert (told.kind, told.requests, told.of) == ("differs", 100, 100)
    assert told.readable_tokens == 99 * 2100
    assert 100 * 4200 < told.wasted_tokens <= 100 * 4201
    assert "could be read from the cache" in str(told)


def test_a_time_at_the_beginning_spoils_everything_behind_it() -> None:
    (told,) = advise([params(system=[text(f"It is {n} o'clock."), text(LONG, **MARK)]) for n in range(100)])
    assert (told.kind, told.requests, told.readable_tokens) == ("differs", 100, 0)
    assert str(told).endswith("put what they have in common first and cache_control behind it, or leave it out")


def test_questions_in_groups_to_many_documents_are_seen() -> None:
    requests = [params(messages=[user([text(f"{n // 5} {LONG}"), text(str(n))])]) for n in range(100)]
    (told,) = advise(requests)
    assert (told.kind, told.requests) == ("unmarked", 100)
    assert 80 * 2100 <= told.readable_tokens <= 80 * 2102
    assert 20 * 2100 <= told.write_tokens <= 20 * 2102
    marked = [params(messages=[user([text(f"{n // 5} {LONG}", **MARK), text(str(n))])]) for n in range(100)]
    assert advise(marked) == []
    twice = [params(messages=[user([text(f"{n // 5} {LONG}", **MARK), text(str(n), **MARK)])]) for n in range(100)]
    assert advise(twice) == []


def test_short_prompts_different_ones_and_few_alike_are_not_worth_a_sentence() -> None:
    assert advise([params(system="Be brief.", messages=[user("x" * 900)]) for _ in range(100)]) == []
    assert advise([params(system=f"{n} {LONG}") for n in range(100)]) == []
    assert advise([params(system="again" + LONG)] * 2 + [params(system=f"{n} {LONG}") for n in range(1000)]) == []
    assert advise([params(system=LONG, **MARK)]) == []


def test_the_cache_is_each_models_own() -> None:
    alternating = [params(model=f"claude-{n}", system=LONG) for n in range(100)]
    assert advise(alternating) == []
    both = [params(model=model, system=LONG) for model in ("claude-a", "claude-b") for _ in range(10)]
    assert {told.model for told in advise(both)} == {"claude-a", "claude-b"}


PROMPTS = st.lists(
    st.builds(
        lambda system, content, marks: params(
            system=[text(LONG + system, **(MARK if marks & 1 else {}))],
            messages=[user([text(content, **(MARK if marks & 2 else {}))])],
        ),
        st.sampled_from("ab"),
        st.sampled_from("cde"),
        st.integers(0, 3),
    ),
    max_size=30,
)


@given(PROMPTS)
def test_the_figures_never_exceed_what_there_is(requests: list[dict[str, Any]]) -> None:
    most = sum(-(-len(json.dumps(one)) // 4) for one in requests)
    for told in advise(requests):
        assert 2 <= told.requests <= told.of == len(requests)
        assert 0 <= told.readable_tokens <= most
        assert 0 <= told.write_tokens <= most
        assert 0 <= told.wasted_tokens <= most


def test_only_so_much_is_remembered() -> None:
    adviser = Adviser()
    for number in range(advice.REMEMBERED * 2):
        one = {"model": "m", "max_tokens": 1, "messages": [user(f"{number} {LONG}")]}
        decoded = msgspec.json.decode(json.dumps(one), type=Params)
        adviser.add(decoded, len(LONG))
    assert len(adviser._seen) <= advice.REMEMBERED + 1
