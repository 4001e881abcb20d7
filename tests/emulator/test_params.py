from typing import Any

import pytest

from streamer.emulator.params import Headers, ask, defect

OLD, NEW = Headers("2023-06-01", None), Headers("2026-10-21", None)
GOOD: dict[str, Any] = {"model": "claude-opus-5-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}


def wrong(headers: Headers = NEW, /, **change: Any) -> tuple[str, str]:
    found = defect({name: value for name, value in (GOOD | change).items() if value is not ...}, headers)
    assert found is not None
    return found.type, found.message


def test_good_params_are_fine_under_both_versions() -> None:
    assert defect(GOOD, OLD) is None
    assert defect(GOOD, NEW) is None
    assert defect(GOOD | {"temperature": 0.5, "top_k": 3}, OLD) is None


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
def test_required_params(name: str) -> None:
    assert wrong(NEW, **{name: ...}) == ("invalid_request_error", f"{name}: Field required")


def test_extra_params() -> None:
    assert wrong(extra_body={})[1] == "extra_body: Extra inputs are not permitted"


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_sampling_params_are_gone_with_the_new_version(name: str) -> None:
    assert name in wrong(NEW, **{name: 1})[1]


@pytest.mark.parametrize(
    "change",
    [
        {"stream": True},
        {"speed": "fast"},
        {"store": True},
        {"previous_thread_event_id": "e"},
        {"cache_hint": {}},
        {"context_hint": {}},
        {"max_tokens": 0},
        {"research_preview_2026_02": "active"},
        {"fallbacks": []},
        {"billing_policy": {"bill_to": "user_profile"}},
    ],
)
def test_what_batches_do_not_allow(change: dict[str, Any]) -> None:
    found = defect(GOOD | change, NEW)
    assert found is not None
    assert found.forbidden
    assert next(iter(change)) in found.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": 5}, "model: Input should be a valid string"),
        ({"max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 1"),
        ({"tools": {}}, "tools: Input should be a valid list"),
        ({"messages": "hi"}, "messages: Input should be a valid list"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": ["hi"]}, "messages.0: Input should be a valid dictionary"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role: Input should be 'user' or 'assistant'"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages.0.content: Input should be a valid list"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0: user messages must have non-empty content"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 10}},
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        ),
    ],
)
def test_params_of_the_wrong_kind(change: dict[str, Any], message: str) -> None:
    assert wrong(**change) == ("invalid_request_error", message)


def test_an_unknown_model_is_not_found() -> None:
    assert wrong(model="gpt-4") == ("not_found_error", "model: gpt-4")


DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}}


def test_content_that_the_new_version_refuses() -> None:
    in_answer = {"messages": [*GOOD["messages"], {"role": "assistant", "content": [DOCUMENT]}]}
    cited = {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "citations": [{"type": "c"}]}]}]}
    for change in (in_answer, cited):
        assert defect(GOOD | change, OLD) is None
        assert wrong(**change)[0] == "invalid_request_error"
    assert defect(GOOD | {"messages": [{"role": "user", "content": [DOCUMENT]}]}, NEW) is None


def test_a_user_profile_that_conflicts_with_the_header() -> None:
    assert "conflicts" in wrong(Headers("2026-10-21", "profile-1"), user_profile_id="profile-2")[1]
    assert defect(GOOD | {"user_profile_id": "profile-1"}, Headers("2026-10-21", "profile-1")) is None


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, "text"),
        ({"thinking": {"type": "adaptive"}}, "thinking"),
        ({"tools": [{"name": "lookup", "input_schema": {}}]}, "tool_use"),
        ({"tools": [{"name": "lookup", "input_schema": {}}], "tool_choice": {"type": "none"}}, "text"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "server_tool"),
    ],
)
def test_what_the_answer_holds_depends_on_the_request(change: dict[str, Any], kind: str) -> None:
    assert ask("a", GOOD | change, None).kind == kind


def test_cached_prompts_are_counted_as_such() -> None:
    system = [{"type": "text", "text": "long " * 100, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    kept = ask("a", GOOD | {"system": system}, None)
    assert 0 < kept.cached_tokens < kept.input_tokens
    assert kept.cache_ttl == "1h"
    assert ask("a", GOOD, None).cached_tokens == 0
