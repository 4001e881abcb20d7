"""Errors travel between processes."""

from __future__ import annotations

import pickle

import pytest

from streamer.errors import ApiError, IncompleteError, RateLimitError, StreamerError, TransportError


@pytest.mark.parametrize(
    "error",
    [
        StreamerError("a"),
        ApiError("b", status=500, type="api_error", detail="d", request_id="r", error_code="c", attempts=3),
        RateLimitError("c", status=429),
        TransportError("d", received=7),
        IncompleteError("e", expected=2, received=1),
    ],
)
def test_an_error_is_the_same_after_pickling(error: StreamerError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
