"""Which models there are: a mistyped one, one that ends and one that has ended are told before anything is sent."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from streamer.models import Models
from streamer.pricing import Prices

TODAY = date(2026, 11, 28)


def warned(model: str, today: date = TODAY) -> str:
    return " | ".join(Models.load().warnings([model], today, Prices.load().models))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("claud-haiku-5-5", "claude-haiku-5-5"),
        ("claude-haiku-55", "claude-haiku-5-5"),
        ("claude-opus-5.5", "claude-opus-5-5"),
        ("claude-sonnet-5-5-latest", "claude-sonnet-5-5"),
        ("Claude-Opus-5-5", "claude-opus-5-5"),
    ],
)
def test_a_mistyped_model_is_named_with_the_nearest(typed: str, meant: str) -> None:
    assert warned(typed).startswith(
        f"no list here has a model {typed!r}, is it {meant!r}? Requests to a model that is not"
    )


def test_a_model_like_no_other_is_named_alone() -> None:
    assert warned("gpt-7").startswith(
        "no list here has a model 'gpt-7'. Requests to a model that is not there come back"
    )


def test_a_model_with_a_price_of_ones_own_is_known(tmp_path: Path) -> None:
    rates = {"input": 1, "output": 5, "cache_write_5m": 1, "cache_write_1h": 2, "cache_read": 0.1}
    (tmp_path / "prices.json").write_text(json.dumps({"models": {"ours": {"rates": rates}}}))
    priced = Prices.load(tmp_path / "prices.json").models
    assert Models.load().warnings(["ours", "ours-20260101"], TODAY, priced) == []


@pytest.mark.parametrize(
    "model", ["claude-opus-5-5", "claude-haiku-4-5-20251001", "claude-fable-5-2", "claude-mythos-5-2"]
)
def test_a_model_that_is_there_is_not_worth_a_word(model: str) -> None:
    assert warned(model) == ""


@pytest.mark.parametrize(
    ("model", "today", "sentence"),
    [
        ("claude-sonnet-4-5", date(2026, 11, 28), "the model claude-sonnet-4-5 ends on 30 November 2026, in 2 days: "),
        (
            "claude-sonnet-4-5-20250929",
            date(2026, 11, 29),
            "ends on 30 November 2026, in 1 day: requests to it fail from",
        ),
        ("claude-sonnet-4-5", date(2026, 11, 30), "ended on 30 November 2026: requests to it come back errored"),
        ("claude-opus-4-5-20251101", date(2026, 11, 28), "ends on 22 January 2027, in 55 days"),
        ("claude-3-5-haiku-20241022", TODAY, "the model claude-3-5-haiku-20241022 ended on 19 February 2026: requests"),
        ("claude-opus-4-20250514", TODAY, "ended on 15 June 2026"),
    ],
)
def test_a_model_that_ends_or_has_ended_is_told_with_the_day(model: str, today: date, sentence: str) -> None:
    assert sentence in warned(model, today)


def test_every_model_that_ends_has_a_source_and_a_date() -> None:
    models = json.loads((Path(__file__).parents[1] / "streamer" / "models.json").read_text())["models"]
    for name, model in models.items():
        assert not model or {"ends", "source", "date"} == model.keys(), name


def test_every_model_with_a_price_is_known() -> None:
    assert Prices.load().models <= set(
        json.loads((Path(__file__).parents[1] / "streamer" / "models.json").read_text())["models"]
    )
