"""What usage costs at batch price, by a table that ships as data and can be overridden.

Exact: decimals throughout, rounded by whoever shows them. A model that the table does not know has no price, never a
guessed one, and the total says that it leaves it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date as Date  # noqa: N812 - `date` is a field
from decimal import Decimal
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Self

import msgspec

from streamer.errors import ConfigurationError
from streamer.results.accounting import Tokens

MILLION = -6  # the power of ten by which a price per million is brought down to one
THOUSAND = -3
TOO_MUCH = 10**9  # USD per million tokens: no price, and 1e999999 ones would overflow what is counted with
_DATED = re.compile(r"-[0-9]{8}")


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """USD per million tokens, at batch price; `input` is for what is neither read from nor written to the cache."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal

    def usd(self, tokens: Tokens) -> Decimal:
        """What the tokens cost; thinking is a part of output and not counted again."""
        parts = (getattr(tokens, name) * getattr(self, name) for name in self.__struct_fields__)
        return sum(parts, Decimal()).scaleb(MILLION)


class ModelPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The price of one model.

    Attributes:
        rates: for ordinary requests.
        long: for requests whose prompt, cache included, is above 100,000 tokens; None where length does not matter.
        geo: what to multiply by for a place of inference, e.g. `{"us": 1.1}`; empty where it does not matter.
        source: the public page that says so.
        date: when that page was read.
    """

    rates: Rates
    long: Rates | None = None
    geo: dict[str, Decimal] = {}
    source: str = ""
    date: Date | None = None


class SearchPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """USD per thousand web searches; in a batch they cost what they cost elsewhere."""

    per_thousand: Decimal
    source: str = ""
    date: Date | None = None


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of prices."""

    models: dict[str, ModelPrice] = {}
    web_search: SearchPrice | None = None
    about: str = ""


class CostLine(msgspec.Struct, frozen=True):
    """What one model's usage cost.

    Attributes:
        model: the key of the usage: the model, and what else decides the price, e.g. `claude-opus-5-5;geo=us`.
        tokens: what was used.
        usd: what it cost, web searches included; None where there is no price.
        date: when the price was read.
        source: where it was read.
    """

    model: str
    tokens: Tokens
    usd: Decimal | None = None
    date: Date | None = None
    source: str = ""


class Cost(msgspec.Struct, frozen=True):
    """What usage cost, by model."""

    lines: list[CostLine] = []

    @property
    def usd(self) -> Decimal:
        """The sum of what has a price; `unpriced` is not in it."""
        return sum((line.usd for line in self.lines if line.usd is not None), Decimal())

    @property
    def unpriced(self) -> list[str]:
        """The models with no price, some of whose usage is therefore not in `usd`."""
        return list(dict.fromkeys(split_key(line.model)[0] for line in self.lines if line.usd is None))

    @property
    def oldest(self) -> Date | None:
        """When the oldest price that was used had been read; None where no price says so."""
        return min((line.date for line in self.lines if line.date is not None), default=None)


class Prices:
    """Prices of models.

    Args:
        models: the price of each model by its id, without the date that an exact id ends in.
        web_search: the price of web searches; without it, a model that searched the web has no price.

    Example:
        >>> cost = Prices.load().price({"claude-opus-5-5": Tokens(input=1_000_000, output=200_000)})
        >>> f"{cost.usd:.2f}", cost.unpriced
        ('4.00', [])
        >>> Prices.load().price({"some-other-model": Tokens(input=1_000_000)}).unpriced
        ['some-other-model']
    """

    def __init__(self, models: Mapping[str, ModelPrice], web_search: SearchPrice | None = None) -> None:
        self._models = dict(models)
        self._web_search = web_search

    def __repr__(self) -> str:
        return f"<Prices of {len(self._models)} models>"

    @classmethod
    def load(cls, path: str | PathLike[str] | None = None) -> Self:
        """The prices that ship with the package (`streamer/prices.json`), under those of a file of the same form.

        Args:
            path: a file whose models take the place of those of the same id; None for none.

        Raises:
            ConfigurationError: the file cannot be read, or is no table of prices.
        """
        shipped = _decode(files("streamer").joinpath("prices.json").read_bytes(), "prices.json")
        if path is None:
            return cls(shipped.models, shipped.web_search)
        try:
            own = _decode(Path(path).read_bytes(), str(path))
        except OSError as error:
            raise ConfigurationError(f"the prices cannot be read from {path}: {error.strerror}") from None
        return cls({**shipped.models, **own.models}, own.web_search or shipped.web_search)

    def of(self, model: str) -> ModelPrice | None:
        """The price of a model by its id; `claude-haiku-4-5-20251001` costs what `claude-haiku-4-5` does.

        An id is known as it is or followed by `-` and a date of eight digits; all else is another model.
        """
        return self._models.get(model) or self._models.get(undated(model))

    @property
    def models(self) -> frozenset[str]:
        """The ids of the models with a price."""
        return frozenset(self._models)

    def price(self, usage: Mapping[str, Tokens]) -> Cost:
        """What usage costs.

        Args:
            usage: tokens by model, as in `RunReport.usage`.
        """
        return Cost([self._line(key, tokens) for key, tokens in usage.items()])

    def _line(self, key: str, tokens: Tokens) -> CostLine:
        model, marks = split_key(key)
        price = self.of(model)
        usd = None if price is None else _tokens_usd(price, marks, tokens)
        if price is None or usd is None:
            return CostLine(key, tokens)
        if tokens.web_searches:
            if self._web_search is None:
                return CostLine(key, tokens)
            usd += (tokens.web_searches * self._web_search.per_thousand).scaleb(THOUSAND)
        return CostLine(key, tokens, usd, price.date, price.source)


def undated(model: str) -> str:
    """The id of a model without the date that an exact id ends in.

    >>> undated("claude-haiku-4-5-20251001"), undated("claude-haiku-4-5")
    ('claude-haiku-4-5', 'claude-haiku-4-5')
    """
    return model[:-9] if _DATED.fullmatch(model[-9:]) else model


def split_key(key: str) -> tuple[str, list[str]]:
    """The model in a key of usage, and the marks after it that decide its price.

    >>> split_key("claude-haiku-5-5;geo=us;long")
    ('claude-haiku-5-5', ['geo=us', 'long'])
    """
    model, *marks = key.split(";")
    return model, marks


def _tokens_usd(price: ModelPrice, marks: Iterable[str], tokens: Tokens) -> Decimal | None:
    """What tokens cost; None when a mark is not known, as nobody can say then what it does to the price."""
    rates, factor = price.rates, Decimal(1)
    for mark in marks:
        name, _, place = mark.partition("=")
        if mark == "long":
            rates = price.long or rates
        elif name != "geo" or (price.geo and place not in price.geo):
            return None
        else:
            factor = price.geo.get(place, factor)
    return rates.usd(tokens) * factor


def _decode(data: bytes, name: str) -> Table:
    try:
        table = msgspec.json.decode(data, type=Table)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise ConfigurationError(f"{name} is no table of prices: {error}") from None
    for model, price in table.models.items():
        for rates in (price.rates, price.long):
            _check(f"{name}, {model}", [] if rates is None else msgspec.structs.astuple(rates))
        _check(f"{name}, {model}", price.geo.values())
    _check(f"{name}, web_search", [] if table.web_search is None else [table.web_search.per_thousand])
    return table


def _check(where: str, amounts: Iterable[Decimal]) -> None:
    """Refuse amounts that no price is.

    Raises:
        ConfigurationError: one is negative, no number, or absurd.
    """
    for amount in amounts:
        if not (amount.is_finite() and 0 <= amount < TOO_MUCH):
            raise ConfigurationError(f"{where}: {amount} is no price")
