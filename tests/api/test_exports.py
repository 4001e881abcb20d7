"""What the package offers, and that its errors travel between processes."""

from __future__ import annotations

import pickle

import pytest

from streamer import api
from streamer.api.errors import ApiError, IncompleteError, RateLimitError, StreamerError, TransportError


def test_everything_offered_is_there_and_everything_there_is_offered() -> None:
    public = {name for name, thing in vars(api).items() if getattr(thing, "__module__", "").startswith("streamer.")}
    assert public == set(api.__all__)
    assert list(api.__all__) == sorted(api.__all__)


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
