"""What a program holds of a request, as JSON: mappings, and the objects of the official client inside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from streamer.errors import ConfigurationError


@runtime_checkable
class Dumpable(Protocol):
    """A pydantic model, e.g. a content block of the official client."""

    def model_dump(self, **options: Any) -> Any:
        """Its data as mappings and lists."""
        ...


Request = Mapping[str, Any] | Dumpable | bytes
"""A request: a mapping (a TypedDict is one) or a model with `custom_id` and `params`, or its JSON."""


def encode(given: object, name: str) -> bytes:
    r"""The JSON of a mapping or a model, on one line; JSON that is there already as it is.

    Models inside are taken as the official client takes them: the fields that were set, under their names in the API.

    Args:
        given: what to encode.
        name: what it is called, for the error.

    Raises:
        ConfigurationError: it cannot be written as JSON.

    >>> encode({"custom_id": "a", "params": {"stop_sequences": ("x", "y")}}, "requests[0]")
    b'{"custom_id":"a","params":{"stop_sequences":["x","y"]}}'
    """
    try:
        if isinstance(given, bytes):
            return msgspec.json.format(given, indent=-1) if b"\n" in given else given
        return _ENCODER.encode(dict(given) if isinstance(given, Mapping) else given)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ConfigurationError(f"{name} cannot be written as JSON: {error}") from None


def _plain(given: Any) -> Any:
    if isinstance(given, type):
        raise TypeError(f"the class {given.__name__} is no data")
    if isinstance(given, Dumpable):
        excluded = getattr(given, "__api_exclude__", None)  # what the official client keeps to itself
        return given.model_dump(mode="json", exclude_unset=True, by_alias=True, exclude=excluded)
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, Iterable):
        return list(given)
    raise TypeError(f"a {type(given).__name__} is no data")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
