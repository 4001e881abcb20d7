"""Which models there are and when they end, by a table that ships as data: a mistyped one is seen before it is sent.

A batch takes any name of a model, and a day later each of its requests is errored. So it is said before, and not more:
a model may be newer than the table, and a gateway has names of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date as Date  # noqa: N812 - `date` is a field
from difflib import get_close_matches
from importlib.resources import files
from typing import Self

import msgspec

from streamer.pricing import undated


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model.

    Attributes:
        ends: from this day on requests to it fail; None where no day is announced.
        source: who says so.
        date: when that was read.
    """

    ends: Date | None = None
    source: str = ""
    date: Date | None = None


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of models."""

    models: dict[str, Model]
    about: str = ""
    source: str = ""
    date: Date | None = None


class Models:
    """The models that are known.

    Args:
        models: each by its id, without the date that an exact id ends in.

    Example:
        >>> models = Models.load()
        >>> [warning] = models.warnings(["claude-haiku-55"], Date(2026, 11, 28))
        >>> warning[:76]
        "no list here has a model 'claude-haiku-55', is it 'claude-haiku-5-5'? Reques"
        >>> models.warnings(["claude-opus-4-5"], Date(2026, 11, 28))
        ['the model claude-opus-4-5 ends on 22 January 2027, in 55 days: requests to it fail from then on']
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = dict(models)

    def __repr__(self) -> str:
        return f"<Models, {len(self._models)} of them>"

    @classmethod
    def load(cls) -> Self:
        """The models that ship with the package (`streamer/models.json`)."""
        table = msgspec.json.decode(files("streamer").joinpath("models.json").read_bytes(), type=_Table)
        return cls(table.models)

    def of(self, name: str) -> Model | None:
        """What is known of a model by its id, with a date behind it or without."""
        return self._models.get(name) or self._models.get(undated(name))

    def warnings(self, names: Iterable[str], today: Date, priced: Collection[str] = ()) -> list[str]:
        """What is to be said of models before requests are sent to them, a sentence each.

        Args:
            names: the models.
            today: the day it is, UTC.
            priced: further models that are known, as they have a price.
        """
        found = (self._warning(name, today, priced) for name in names)
        return [sentence for sentence in found if sentence]

    def _warning(self, name: str, today: Date, priced: Collection[str]) -> str:
        model = self.of(name)
        if model is None:
            if name in priced or undated(name) in priced:
                return ""
            there = [known for known, model in self._models.items() if model.ends is None or model.ends > today]
            near = get_close_matches(name.lower(), [*there, *priced], n=1)
            meant = f", is it {near[0]!r}?" if near else "."
            return (
                f"no list here has a model {name!r}{meant} Requests to a model that is not there come back errored; "
                "for one that is new, or a gateway's, --prices FILE with its price ends this warning"
            )
        if model.ends is None:
            return ""
        day = f"{model.ends.day} {model.ends:%B %Y}"
        left = (model.ends - today).days
        if left <= 0:
            return f"the model {name} ended on {day}: requests to it come back errored"
        return f"the model {name} ends on {day}, in {left} day{'s' * (left > 1)}: requests to it fail from then on"
