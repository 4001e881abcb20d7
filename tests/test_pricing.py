"""What usage costs: sums done by hand, rates of their own, prices of one's own, and models nobody knows."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigurationError
from streamer.pricing import Prices
from streamer.results.accounting import Tokens

RATES = {"input": 1, "output": 5, "cache_write_5m": 1.25, "cache_write_1h": 2, "cache_read": 0.1}
EACH = Tokens(input=1000, output=1000, cache_write_5m=1000, cache_write_1h=1000, cache_read=1000)


def usd(usage: dict[str, Tokens], prices: Prices | None = None) -> Decimal:
    return (prices or Prices.load()).price(usage).usd


@pytest.mark.parametrize(
    ("model", "each"),
    [
        # Of a thousand tokens each: input + output + written for 5 min + for 1 h + read, in USD a million.
        ("claude-opus-5-5", "2 10 2.5 4 0.1"),
        ("claude-sonnet-5-5", "1 5 1.25 2 0.05"),
        ("claude-haiku-5-5", "0.05 0.25 0.0625 0.1 0.005"),
        ("claude-haiku-5-5;long", "0.25 1.25 0.3125 0.5 0.025"),
        ("claude-haiku-5-5;geo=us;long", "0.275 1.375 0.34375 0.55 0.0275"),
        ("claude-fable-5-2", "4 20 5 8 0.1"),
        ("claude-fable-5-1", "5 25 6.25 10 0.125"),
        ("claude-fable-5", "5 25 6.25 10 0.5"),
        ("claude-opus-5;geo=us", "2.75 13.75 3.4375 5.5 0.275"),
        ("claude-opus-4-5", "2.5 12.5 3.125 5 0.25"),
        ("claude-sonnet-4-6", "1.5 7.5 1.875 3 0.15"),
        ("claude-haiku-4-5", "0.5 2.5 0.625 1 0.05"),
        # Models that are retired, whose answers are still counted: those of the guide of 2025.
        ("claude-opus-4-20250514", "7.5 37.5 9.375 15 0.75"),
        ("claude-sonnet-4-20250514", "1.5 7.5 1.875 3 0.15"),
        ("claude-3-7-sonnet-20250219", "1.5 7.5 1.875 3 0.15"),
        ("claude-3-5-sonnet-20241022", "1.5 7.5 1.875 3 0.15"),
        ("claude-3-5-haiku-20241022", "0.4 2 0.5 0.8 0.04"),
        ("claude-3-haiku-20240307", "0.125 0.625 0.15625 0.25 0.0125"),
        ("claude-3-opus-20240229", "7.5 37.5 9.375 15 0.75"),
    ],
)
def test_the_prices_that_ship_are_those_that_are_published(model: str, each: str) -> None:
    assert usd({model: EACH}) == sum(map(Decimal, each.split())) / 1000


def test_a_mixed_run_costs_what_a_hand_computation_says() -> None:
    usage = {
        # 1,234,567 * 2 + 89,012 * 10 + 30,000 * 2.5 + 20,000 * 4 + 500,000 * 0.1, in millionths
        "claude-opus-5-5": Tokens(7, 1_234_567, 89_012, 30_000, 20_000, 500_000, thinking=80_000),
        # (10 * 1 + 20 * 5) * 1.1 + 3 searches at a cent, of which the place does not change the price
        "claude-sonnet-5-5;geo=us": Tokens(1, 10, 20, web_searches=3),
        "claude-haiku-5-5": Tokens(1, 100_000, 1),
        "claude-haiku-5-5;long": Tokens(1, 100_001, 1),
        "claude-sonnet-4-5-20250929;long": Tokens(1, 100_001, 0),  # of this one, length does not change the price
        "claude-haiku-4-5-20251001;geo=us": Tokens(1, 1000, 0),  # nor does the place, of models before 4.6
    }
    by_hand = ["3.564254", "0.030121", "0.00500025", "0.0250015", "0.1500015", "0.0005"]
    cost = Prices.load().price(usage)
    assert [line.usd for line in cost.lines] == [Decimal(amount) for amount in by_hand]
    assert cost.usd == Decimal("3.77487825")
    assert cost.unpriced == []


@pytest.mark.parametrize(
    "model",
    [
        "claude-opus-9",
        "claude-opus-5-5-latest",
        "claude-opus-5-5-2026092",
        "claude-opus-5-5-20260922-v2",
        "anthropic.claude-opus-5-5",
        "Claude-Opus-5-5",
        "",
        "claude-opus-5-5;geo=mars",
        "claude-opus-5-5;something=new",
    ],
)
def test_what_is_not_known_has_no_price_and_the_total_says_so(model: str) -> None:
    cost = Prices.load().price({model: EACH, "claude-haiku-4-5": Tokens(output=1_000_000)})
    assert cost.usd == Decimal("2.5")
    assert cost.lines[0].usd is None
    assert cost.lines[0].tokens == EACH
    assert cost.unpriced == [model.partition(";")[0]]


def test_nothing_costs_nothing() -> None:
    cost = Prices.load().price({})
    assert cost.usd == 0
    assert cost.unpriced == []
    assert cost.oldest is None


def test_every_price_that_ships_has_a_source_and_a_date() -> None:
    models = json.loads((Path(__file__).parents[1] / "streamer" / "prices.json").read_text())["models"]
    assert len(models) > 10
    for model in models:
        price = Prices.load().of(model)
        assert price is not None
        assert price.source.startswith("https://")
        assert price.date is not None
        assert date(2026, 1, 1) < price.date
    cost = Prices.load().price({"claude-opus-5-5": EACH})
    assert cost.oldest == cost.lines[0].date
    assert cost.lines[0].source.startswith("https://")


def test_a_file_of_one_s_own_goes_over_the_prices_that_ship(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    models = {"claude-opus-5-5": {"rates": RATES}, "ours": {"rates": RATES, "long": {**RATES, "input": "3.5"}}}
    file.write_text(json.dumps({"models": models}))
    prices = Prices.load(file)
    million = Tokens(input=1_000_000)
    assert usd({"claude-opus-5-5": million, "ours": million, "ours;long": million}, prices) == Decimal("5.5")
    assert usd({"claude-sonnet-5-5": Tokens(web_searches=1)}, prices) == Decimal("0.01")
    file.write_text('{"web_search": {"per_thousand": 1}}')
    assert usd({"claude-sonnet-5-5": Tokens(web_searches=1)}, Prices.load(file)) == Decimal("0.001")


def test_a_dated_id_in_a_file_goes_before_the_model_it_is_of(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"models": {"claude-haiku-4-5-20251001": {"rates": RATES}}}))
    used = Tokens(input=1_000_000)
    assert usd({"claude-haiku-4-5-20251001": used}, Prices.load(file)) == 1
    assert usd({"claude-haiku-4-5": used}, Prices.load(file)) == Decimal("0.5")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no table of prices"),
        ("[]", "no table of prices"),
        ('{"model": {}}', "unknown field `model`"),
        ('{"models": {"ours": {"rates": {"input": 1}}}}', "missing required field `output`"),
        ('{"models": {"ours": {"rates": RATES, "geo": {"us": -1.1}}}}', "ours: -1.1 is no price"),
        ('{"models": {"ours": {"rates": RATES, "long": LONG}}}', "ours: NaN is no price"),
        ('{"web_search": {"per_thousand": "Infinity"}}', "web_search: Infinity is no price"),
        ('{"web_search": {"per_thousand": 1e999999}}', "web_search: 1E+999999 is no price"),
    ],
)
def test_a_file_that_is_no_table_of_prices_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text.replace("RATES", json.dumps(RATES)).replace("LONG", json.dumps({**RATES, "output": "NaN"})))
    with pytest.raises(ConfigurationError) as caught:
        Prices.load(file)
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        Prices.load(tmp_path / "nowhere.json")


TOKENS = st.integers(0, 10**12)


@given(st.lists(st.builds(Tokens, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS), max_size=5))
def test_a_sum_costs_exactly_what_its_parts_cost(parts: list[Tokens]) -> None:
    together = Tokens()
    for part in parts:
        together.add(part)
    model = "claude-haiku-5-5;geo=us"
    assert usd({model: together}) == sum(usd({model: part}) for part in parts)
