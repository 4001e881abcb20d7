from __future__ import annotations

import pytest

from streamer.answers.sentagain import REASONS, RETRIED, checked, reason, retryable, true_error
from streamer.errors import ConfigurationError


@pytest.mark.parametrize("what", ["expired", "overloaded_error", "api_error", "timeout_error", "rate_limit_error"])
def test_what_failed_by_the_moment_is_sent_again(what: str) -> None:
    assert retryable(what)


@pytest.mark.parametrize(
    "what",
    [
        "succeeded",
        "canceled",
        "missing",
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found_error",
        "billing_error",
        "some_new_error",
        "some_new_type",
    ],
)
def test_what_failed_by_itself_is_not_and_neither_is_what_nobody_knows(what: str) -> None:
    assert not retryable(what)


def test_somebody_may_know_better() -> None:
    assert retryable("billing_error", {"billing_error"})
    assert not retryable("canceled", {"billing_error"})


def test_every_reason_is_told_and_the_unknown_is_called_so() -> None:
    assert not RETRIED & REASONS.keys()
    assert reason("invalid_request_error") == "its params are refused, and would be again"
    assert "not known" in reason("some_new_error")


def test_an_empty_account_is_a_matter_of_billing_whatever_the_api_calls_it() -> None:
    raw = b'"message":"Your credit balance is too low to access the Anthropic API."'
    assert true_error("invalid_request_error", raw) == "billing_error"
    assert true_error("invalid_request_error", b'"message":"prompt is too long"') == "invalid_request_error"
    assert true_error("api_error", raw) == "api_error"


@pytest.mark.parametrize("what", ["succeeded", "cancelled", "everything"])
def test_what_cannot_be_sent_again_is_refused_before_anything_is(what: str) -> None:
    with pytest.raises(ConfigurationError):
        checked([what])


def test_an_error_of_a_type_to_come_can_be_asked_for() -> None:
    assert checked(["some_new_error", "canceled"]) == {"some_new_error", "canceled"}
